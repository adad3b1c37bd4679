import type { Client, ConsumedRecord } from "@mantou/client";
import type { LoadReport } from "./loadgen.ts";

/** What was found in a topic after a run. */
export interface ContentCheck {
  /** Sum of all end offsets: records that are there. */
  readonly records: number;
  /** Of those, how many were read back, with their batches' checksums checked. */
  readonly sampled: number;
}

export interface ContentExpectation {
  readonly topic: string;
  readonly partitions: number;
  readonly recordBytes: number;
  /** What the generator says; of acks=0 it knows only what it has sent. */
  readonly acknowledged: number;
  readonly recordsPerBatch: number;
  /** Batches that may have been sent and not be in `acknowledged`. */
  readonly batchesUnderWayMax: number;
}

const PARTITIONS_SAMPLED_MAX = 4;
const RECORDS_SAMPLED = 1000;
const READ_TIMEOUT_MS = 30_000;
const SETTLE_TIMEOUT_MS = 5_000;
const SETTLE_PAUSE_MS = 50;
/** So long without a new record means that none is coming. */
const QUIET_MS = 400;

/** What a produce run of the generator must have left behind. */
export function expectationOf(
  report: LoadReport,
  load: {
    readonly topic: string;
    readonly partitions: number;
    readonly recordBytes: number;
    readonly connections: number;
    readonly depth: number;
  },
): ContentExpectation {
  const { topic, partitions, recordBytes, connections, depth } = load;
  const recordsPerBatch = report.requests === 0 ? 0 : report.records / report.requests;
  const batchesUnderWayMax = connections * (depth + 1);
  const acknowledged = report.records;
  return { topic, partitions, recordBytes, acknowledged, recordsPerBatch, batchesUnderWayMax };
}

/** What is wrong with the number of records, or null. */
export function countFault(expected: ContentExpectation, records: number): string | null {
  const { topic, acknowledged, recordsPerBatch, batchesUnderWayMax } = expected;
  if (acknowledged === 0) return `${topic}: nothing was acknowledged`;
  if (records < acknowledged) {
    return `${topic}: ${acknowledged} records were acknowledged, ${records} are there`;
  }
  const most = acknowledged + batchesUnderWayMax * recordsPerBatch;
  if (records > most) return `${topic}: ${records} records are there, at most ${most} were sent`;
  if (records % recordsPerBatch !== 0) {
    return `${topic}: ${records} records are no whole number of batches of ${recordsPerBatch}`;
  }
  return null;
}

/** What is wrong with a stretch of records that was read from `start` on, or null. */
export function sampleFault(
  records: readonly ConsumedRecord[],
  start: number,
  recordBytes: number,
): string | null {
  for (const [index, { topic, partition, offset, value }] of records.entries()) {
    const at = `${topic}-${partition}`;
    if (offset !== start + index) return `${at}: offset ${offset} where ${start + index} is due`;
    // The last record of a batch fills it up and is smaller.
    const bytes = value?.length ?? -1;
    if (bytes < 0 || bytes > 2 * recordBytes) return `${at}: offset ${offset} has ${bytes} bytes`;
  }
  return null;
}

/** Checks count, checksums and order of what a run has left. Throws where something is wrong. */
export async function checkContent(
  client: Client,
  expected: ContentExpectation,
): Promise<ContentCheck> {
  const { partitions } = expected;
  const ends = await settledEnds(client, expected);
  const records = ends.reduce((sum, end) => sum + end, 0);
  const fault = countFault(expected, records);
  if (fault !== null) throw new Error(`the content check failed: ${fault}`);
  const step = Math.ceil(partitions / PARTITIONS_SAMPLED_MAX);
  let sampled = 0;
  for (let partition = 0; partition < partitions; partition += step) {
    const end = ends[partition] as number;
    for (const start of new Set([0, Math.max(0, end - RECORDS_SAMPLED)])) {
      const count = Math.min(RECORDS_SAMPLED, end - start);
      sampled += await checkStretch(client, expected, partition, start, count);
    }
  }
  return { records, sampled };
}

/** With acks=1 an answer may be ahead of what readers are shown: of the flush, here. */
async function settledEnds(
  client: Client,
  { topic, partitions, acknowledged }: ContentExpectation,
): Promise<number[]> {
  const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    const ends = await endOffsets(client, topic, partitions);
    const records = ends.reduce((sum, end) => sum + end, 0);
    if (records >= acknowledged || performance.now() > deadlineMs) return ends;
    await Bun.sleep(SETTLE_PAUSE_MS);
  }
}

/** Markers take offsets as records do, so only their sum is known: no record may be missing. */
export async function checkTransactional(
  client: Client,
  topic: string,
  partitions: number,
  acknowledged: number,
): Promise<ContentCheck> {
  const records = await countRecords(client, topic, partitions);
  if (records > acknowledged) return { records, sampled: 0 };
  throw new Error(
    `the content check failed: ${topic}: ${acknowledged} records, and ${records} offsets for ` +
      "them and the markers of their transactions",
  );
}

/** The sum of the end offsets of a topic. */
export async function countRecords(
  client: Client,
  topic: string,
  partitions: number,
): Promise<number> {
  const ends = await endOffsets(client, topic, partitions);
  return ends.reduce((sum, end) => sum + end, 0);
}

/** As `countRecords`, when no more are coming: what was sent without answers is still on its way. */
export async function countSettled(
  client: Client,
  topic: string,
  partitions: number,
): Promise<number> {
  const deadlineMs = performance.now() + READ_TIMEOUT_MS;
  let before = -1;
  for (;;) {
    const records = await countRecords(client, topic, partitions);
    if ((records === before && records > 0) || performance.now() > deadlineMs) return records;
    before = records;
    await Bun.sleep(QUIET_MS);
  }
}

/** Makes a topic and waits until each partition has a leader that answers. */
export async function createTopic(
  client: Client,
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  await client.admin.createTopic({ name, partitions, replicationFactor: 1, configs });
  // The client asks again until a leader answers; the load generator does not.
  await endOffsets(client, name, partitions);
}

/** Numbered records, sent with several batches under way, must come back in their order. */
export async function checkOrder(client: Client, topic: string): Promise<ContentCheck> {
  const COUNT = 5000;
  await createTopic(client, topic, 1);
  const producer = client.producer({ idempotent: true, batchBytes: 4096 });
  const numbers = Array.from({ length: COUNT }, (_, number) => number);
  await producer.sendAll(numbers.map((n) => ({ topic, partition: 0, value: `number ${n}` })));
  await producer.close();
  const consumer = client.consumer();
  consumer.assign([{ topic, partition: 0, from: 0 }]);
  const records = await consumer.read(COUNT, READ_TIMEOUT_MS);
  consumer.close();
  const decoder = new TextDecoder();
  for (const [index, { value }] of records.entries()) {
    const text = decoder.decode(value ?? undefined);
    if (text !== `number ${index}`) {
      throw new Error(`the content check failed: "${text}" where number ${index} is due`);
    }
  }
  return { records: COUNT, sampled: COUNT };
}

async function checkStretch(
  client: Client,
  { topic, recordBytes }: ContentExpectation,
  partition: number,
  start: number,
  count: number,
): Promise<number> {
  if (count === 0) return 0;
  const consumer = client.consumer({ checkCrc: true });
  consumer.assign([{ topic, partition, from: start }]);
  const records = await consumer.read(count, READ_TIMEOUT_MS);
  consumer.close();
  const fault = sampleFault(records, start, recordBytes);
  if (fault !== null) throw new Error(`the content check failed: ${fault}`);
  return records.length;
}

function endOffsets(client: Client, topic: string, partitions: number): Promise<number[]> {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const end = async (partition: number): Promise<number> =>
    (await client.admin.listOffset(topic, partition, "latest")).offset;
  return Promise.all(all.map(end));
}
