import type { AnyApi } from "../src/index.ts";
import { Reader, Writer, fetchApi, produceApi } from "../src/index.ts";

/**
 * How long it takes to decode what a broker decodes all day: Produce and Fetch requests with 1
 * and 10 partitions, flexible and not, out of a buffer as large as an arena. Budget: 2 us each.
 *
 *   bun packages/protocol/bench/decode.ts
 *
 * Exits with 1 when the budget does not hold.
 */

const BUDGET_NS = 2000;
const ARENA_BYTES = 64 * 1024 * 1024;
const RECORDS_BYTES = 1024;
/** Frames lie all over the arena, as they do when connections share it. */
const FRAMES = 1000;
const ROUNDS = 7;
const ITERATIONS = 200_000;

/** What a topic is called in this version. Names and ids differ from frame to frame. */
const topicOf = (version: number, idsFrom: number, frame: number): object =>
  version >= idsFrom
    ? { topicId: `${String(frame % 50).padStart(21, "A")}A` }
    : { topic: `orders-of-region-${frame % 50}`, name: `orders-of-region-${frame % 50}` };

function produceRequest(version: number, partitions: number, frame: number): unknown {
  const partitionData = Array.from({ length: partitions }, (_, index) => ({
    index,
    records: new Uint8Array(RECORDS_BYTES),
  }));
  const topic = topicOf(version, 13, frame);
  return { acks: -1, timeoutMs: 30_000, topicData: [{ ...topic, partitionData }] };
}

function fetchRequest(version: number, partitions: number, frame: number): unknown {
  const rows = Array.from({ length: partitions }, (_, partition) => ({
    partition,
    currentLeaderEpoch: 7,
    fetchOffset: 123_456_789_012,
    partitionMaxBytes: 1024 * 1024,
  }));
  return {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 50 * 1024 * 1024,
    sessionId: 17,
    sessionEpoch: 3,
    rackId: "rack-1",
    topics: [{ ...topicOf(version, 13, frame), partitions: rows }],
  };
}

interface Frames {
  readonly reader: Reader;
  readonly offsets: number[];
  readonly lengths: number[];
}

function fillArena(
  codec: AnyApi["request"],
  version: number,
  make: (frame: number) => unknown,
): Frames {
  const arena = new Uint8Array(ARENA_BYTES);
  const writer = new Writer(64 * 1024);
  const stride = Math.floor(ARENA_BYTES / FRAMES);
  const offsets: number[] = [];
  const lengths: number[] = [];
  for (let frame = 0; frame < FRAMES; frame++) {
    codec.encode(writer.reset(), make(frame), version);
    // An odd start: nothing is aligned on the wire.
    const offset = frame * stride + 1 + (frame % 7);
    arena.set(writer.bytes.subarray(0, writer.length), offset);
    offsets.push(offset);
    lengths.push(writer.length);
  }
  return { reader: new Reader(arena), offsets, lengths };
}

/** Nanoseconds per message of the fastest round. */
function measure(codec: AnyApi["request"], version: number, frames: Frames): number {
  const { reader, offsets, lengths } = frames;
  let best = Infinity;
  let sink = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = Bun.nanoseconds();
    for (let i = 0; i < ITERATIONS; i++) {
      const frame = i % FRAMES;
      reader.reset(offsets[frame] as number, lengths[frame] as number);
      if (codec.decode(reader, version) === null) sink += 1;
    }
    best = Math.min(best, (Bun.nanoseconds() - start) / ITERATIONS);
  }
  if (sink !== 0) throw new Error("a message was null");
  return best;
}

const CASES: [api: AnyApi, version: number, make: typeof produceRequest][] = [
  [produceApi, 8, produceRequest],
  [produceApi, 12, produceRequest],
  [produceApi, 13, produceRequest],
  [fetchApi, 11, fetchRequest],
  [fetchApi, 12, fetchRequest],
  [fetchApi, 18, fetchRequest],
];

let over = 0;
for (const [api, version, make] of CASES) {
  for (const partitions of [1, 10]) {
    const frames = fillArena(api.request, version, (frame) => make(version, partitions, frame));
    const ns = measure(api.request, version, frames);
    if (ns > BUDGET_NS) over += 1;
    const what = `${api.name} v${version}, ${partitions} partition${partitions > 1 ? "s" : ""}`;
    const share = `${((ns / BUDGET_NS) * 100).toFixed(0)} % of the budget`;
    console.log(`${what.padEnd(28)} ${ns.toFixed(0).padStart(6)} ns/op  ${share}`);
  }
}
process.exit(over > 0 ? 1 : 0);
