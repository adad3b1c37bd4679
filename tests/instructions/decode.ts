import { Reader, Writer, fetchApi, produceApi } from "@mantou/protocol";

/**
 * Decodes one kind of request so many times, for `valgrind` to count: without the JIT the same
 * code runs the same instructions on every machine. Arguments: produce|fetch, COUNT.
 */
const [kind = "", times = "0"] = process.argv.slice(2);
const PARTITIONS = 10;

const topicId = "AAAAAAAAAAAAAAAAAAAAAA";

function produceRequest(): Uint8Array {
  const partitionData = Array.from({ length: PARTITIONS }, (_, index) => ({
    index,
    records: new Uint8Array(1024),
  }));
  const writer = new Writer(16 * 1024);
  const request = { acks: -1, timeoutMs: 30_000, topicData: [{ topicId, partitionData }] };
  produceApi.request.encode(writer, request as never, 13);
  return writer.toBytes();
}

function fetchRequest(): Uint8Array {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    currentLeaderEpoch: 7,
    fetchOffset: 123_456_789_012,
    partitionMaxBytes: 1024 * 1024,
  }));
  const writer = new Writer(4096);
  const topics = [{ topicId, partitions }];
  const request = { maxWaitMs: 500, minBytes: 1, maxBytes: 1e6, rackId: "", topics };
  fetchApi.request.encode(writer, request as never, 16);
  return writer.toBytes();
}

const isProduce = kind === "produce";
const bytes = isProduce ? produceRequest() : fetchRequest();
const codec = isProduce ? produceApi.request : fetchApi.request;
const version = isProduce ? 13 : 16;
const reader = new Reader(bytes);
for (let done = 0; done < Number(times); done += 1) {
  codec.decode(reader.reset(0, bytes.length, 1e6), version);
}
