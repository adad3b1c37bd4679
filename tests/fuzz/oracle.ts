import type { CatalogImage } from "@mantou/catalog";
import type { MemoryDisk } from "@mantou/io";
import type {
  AnyApi,
  FetchResponse,
  InitProducerIdResponse,
  ProduceResponse,
} from "@mantou/protocol";
import {
  BATCH_HEADER_BYTES,
  BatchField,
  BatchView,
  ErrorCode,
  REQUEST_PREFIX_BYTES,
  Reader,
  apiByKey,
  apiVersionsApi,
  decodeRequestHeader,
  decodeResponseHeader,
  fetchApi,
  initProducerIdApi,
  produceApi,
  requestHeaderVersion,
} from "@mantou/protocol";
import type { ProduceRequest } from "@mantou/protocol";
import type { SentFrame } from "./fuzz-network.ts";
import type { World } from "./world.ts";

const DATA_DIRECTORY = "memory";
/** The one topic whose records are acknowledged before they are flushed. */
export const PAGE_CACHE_TOPIC = "page-cache";
/** Produce and Fetch name topics by their ids from this version on. */
const TOPIC_ID_VERSION = 13;
/** Kept small: the first faults say everything. */
const FAULTS_MAX = 20;
/** An answer's memory, with room for the largest metadata. */
const BUDGET_BYTES = 64 * 1024 * 1024;
/** From here on a stored batch is what was sent; before it, a broker may put fields right. */
const UNTOUCHED_FROM = BatchField.producerId;

type MemoryLog = NonNullable<ReturnType<ReturnType<MemoryDisk["directory"]>["logs"]["get"]>>;

/** Holds every answer against the protocol, and every promise against the disk. */
export class Oracle {
  readonly faults: string[] = [];
  /** Rises and falls with every byte that was answered: the same run has the same number. */
  trace = 0;
  readonly errorCounts = new Map<number, number>();
  private readonly batch = new BatchView();
  /** What was acknowledged: log -> base offset -> checksum of what must stand there. */
  private readonly acknowledged = new Map<MemoryLog, Map<number, number>>();
  acknowledgedCount = 0;

  constructor(
    private readonly disk: MemoryDisk,
    private readonly world: World,
    private readonly image: () => CatalogImage,
  ) {}

  fault(text: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(text);
  }

  answered(frame: SentFrame, bytes: Uint8Array): void {
    this.trace = Bun.hash.crc32(bytes, this.trace);
    const api = apiByKey(frame.apiKey);
    if (api === undefined) {
      this.fault(`an answer to api ${frame.apiKey}`);
      return;
    }
    const what = `${api.name} v${frame.version}`;
    const response = this.decode(what, api, frame, bytes);
    if (response === null) return;
    if (api === produceApi) this.produced(what, frame, response as ProduceResponse);
    else if (api === fetchApi) this.fetched(what, frame.version, bytes, response as FetchResponse);
    else if (api === initProducerIdApi) {
      const given = response as InitProducerIdResponse;
      if (given.errorCode === ErrorCode.NONE && given.producerId >= 0) {
        this.world.producerGiven(given.producerId, given.producerEpoch);
      }
    }
  }

  /** Only a produce request that asks for no answer may get none. */
  skipped(frame: SentFrame): void {
    if (frame.apiKey !== produceApi.key || this.request(frame).acks !== 0) {
      this.fault(`no answer to api ${frame.apiKey} v${frame.version}`);
    }
  }

  /** Everything acknowledged that was not deleted since is where it was. */
  checkAcknowledged(when: string): void {
    const { logs } = this.disk.directory(DATA_DIRECTORY);
    const alive = new Set(logs.values());
    for (const [log, promised] of this.acknowledged) {
      const topic = this.image().topicsById.get(log.topicId as never);
      if (topic === undefined) continue;
      const name = `${log.topic}-${log.partition} ${when}`;
      if (!alive.has(log)) {
        this.fault(`${name}: the log is gone, its topic is not`);
        continue;
      }
      const stored = new Map<number, number>();
      for (const { baseOffset, bytes } of log.batchesFrom(log.startOffset)) {
        stored.set(baseOffset, checksum(bytes));
      }
      for (const [offset, expected] of promised) {
        if (offset < log.startOffset || stored.get(offset) === expected) continue;
        this.fault(`${name}: acknowledged at ${offset}, and not there any more`);
      }
    }
  }

  private decode(what: string, api: AnyApi, frame: SentFrame, bytes: Uint8Array): unknown {
    // An unknown version of ApiVersions is answered in the form of version 0.
    const isKnown = frame.version >= api.minVersion && frame.version <= api.maxVersion;
    const version = api === apiVersionsApi && !isKnown ? 0 : frame.version;
    try {
      const reader = new Reader(bytes).reset(0, bytes.length, BUDGET_BYTES);
      const { correlationId } = decodeResponseHeader(reader, api, version);
      if (correlationId !== frame.correlationId) {
        this.fault(`${what}: answer ${correlationId} to request ${frame.correlationId}`);
      }
      const response: unknown = api.response.decode(reader, version);
      if (reader.remaining > 0) this.fault(`${what}: ${reader.remaining} bytes behind the answer`);
      return response;
    } catch (error) {
      this.fault(`${what}: the answer does not parse: ${String(error)}`);
      return null;
    }
  }

  private request(frame: SentFrame): ProduceRequest {
    const { bytes, version } = frame;
    const reader = new Reader(bytes).reset(
      REQUEST_PREFIX_BYTES,
      bytes.length - REQUEST_PREFIX_BYTES,
      BUDGET_BYTES,
    );
    decodeRequestHeader(reader, requestHeaderVersion(produceApi, version) === 2);
    return produceApi.request.decode(reader, version);
  }

  private produced(what: string, frame: SentFrame, response: ProduceResponse): void {
    const request = this.request(frame);
    if (request.acks === 0) this.fault(`${what}: an answer to acks=0`);
    if (response.responses.length !== request.topicData.length) {
      this.fault(`${what}: ${response.responses.length} topics of ${request.topicData.length}`);
      return;
    }
    for (const [t, topic] of request.topicData.entries()) {
      const answers = response.responses[t]?.partitionResponses ?? [];
      if (answers.length !== topic.partitionData.length) {
        this.fault(`${what}: ${answers.length} partitions of ${topic.partitionData.length}`);
        continue;
      }
      for (const [p, { index, records }] of topic.partitionData.entries()) {
        const answer = answers[p];
        if (answer === undefined) continue;
        this.count(answer.errorCode);
        if (answer.index !== index) this.fault(`${what}: partition ${answer.index} for ${index}`);
        if (answer.errorCode !== ErrorCode.NONE) continue;
        if (records === null) {
          this.fault(`${what}: nothing was sent, and taken`);
          continue;
        }
        const span = frame.bytes.subarray(records.offset, records.offset + records.length);
        const log = this.logOf(frame.version >= TOPIC_ID_VERSION, topic, index);
        if (log !== null) this.taken(what, log, answer.baseOffset, span, request.acks);
      }
    }
  }

  /** The log a request spoke of, unless the topic was deleted since. */
  private logOf(
    byId: boolean,
    topic: { readonly name: string; readonly topicId: string },
    partition: number,
  ): MemoryLog | null {
    const known = this.world.topics.find(({ id, name }) =>
      byId ? id === topic.topicId : name === topic.name,
    );
    if (known === undefined || !this.image().topicsById.has(known.id)) return null;
    const log = this.disk.directory(DATA_DIRECTORY).logs.get(`${known.name}-${partition}`);
    return log === undefined || log.topicId !== known.id ? null : log;
  }

  /** What was taken stands in the log at the told offset, and durably where that was asked. */
  private taken(
    what: string,
    log: MemoryLog,
    baseOffset: number,
    sent: Uint8Array,
    acks: number,
  ): void {
    const where = `${what}: ${log.topic}-${log.partition}@${baseOffset}`;
    if (baseOffset < log.startOffset) return;
    const stored = log.batchesFrom(baseOffset).next().value ?? null;
    if (stored === null || stored.baseOffset !== baseOffset) {
      this.fault(`${where} was acknowledged and is not there`);
      return;
    }
    if (checksum(stored.bytes) !== checksum(sent) && !this.isRepetition(stored.bytes, sent)) {
      this.fault(`${where} holds other bytes than were acknowledged`);
    }
    // Power cuts take what was only in the page cache, and may.
    if (acks !== -1 || log.topic === PAGE_CACHE_TOPIC) return;
    if (log.syncedOffset < stored.endOffset) {
      this.fault(`${where} was acknowledged before it was durable`);
    }
    let promised = this.acknowledged.get(log);
    if (promised === undefined) {
      promised = new Map();
      this.acknowledged.set(log, promised);
    }
    promised.set(baseOffset, checksum(stored.bytes));
    this.acknowledgedCount += 1;
  }

  /** The same producer, epoch and sequence as what is stored: the first one counts. */
  private isRepetition(stored: Uint8Array, sent: Uint8Array): boolean {
    if (sent.length < BATCH_HEADER_BYTES) return false;
    const until = BatchField.recordsCount;
    for (let at = UNTOUCHED_FROM; at < until; at += 1) {
      if (stored[at] !== sent[at]) return false;
    }
    const view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength);
    return this.batch.at(view, 0).producerId >= 0;
  }

  private fetched(what: string, version: number, bytes: Uint8Array, response: FetchResponse): void {
    if (response.errorCode === ErrorCode.NONE && response.sessionId !== 0) {
      this.world.sessionOpened(response.sessionId);
    }
    const byId = version >= TOPIC_ID_VERSION;
    for (const topic of response.responses) {
      for (const partition of topic.partitions) {
        this.count(partition.errorCode);
        const span = partition.records;
        if (span === null || span.length === 0) continue;
        if (partition.errorCode !== ErrorCode.NONE) this.fault(`${what}: records and an error`);
        const records = bytes.subarray(span.offset, span.offset + span.length);
        const named = { name: topic.topic, topicId: topic.topicId };
        const log = this.logOf(byId, named, partition.partitionIndex);
        this.checkRecords(what, records, partition.highWatermark, log);
      }
    }
  }

  /** Whole batches in order, with right checksums, below the high watermark, of this log. */
  private checkRecords(
    what: string,
    records: Uint8Array,
    highWatermark: number,
    log: MemoryLog | null,
  ): void {
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
    const { batch } = this;
    let at = 0;
    let next = -1;
    while (at < records.length) {
      if (at + BATCH_HEADER_BYTES > records.length) return this.fault(`${what}: half a batch`);
      batch.at(view, at);
      if (batch.magic !== 2 || batch.sizeBytes < BATCH_HEADER_BYTES) {
        return this.fault(`${what}: bytes that are no batch`);
      }
      if (batch.endOffset > records.length) return this.fault(`${what}: half a batch`);
      if (batch.computeCrc(records) !== batch.crc) this.fault(`${what}: a wrong checksum`);
      if (batch.baseOffset < next) this.fault(`${what}: offsets go back`);
      if (log !== null && batch.baseOffset >= log.startOffset) {
        const stored = log.batchesFrom(batch.baseOffset).next().value;
        const given = records.subarray(at, batch.endOffset);
        if (stored === undefined || Buffer.compare(stored.bytes, given) !== 0) {
          this.fault(`${what}: gives what ${log.topic}-${log.partition} does not hold`);
        }
      }
      next = batch.lastOffset + 1;
      at = batch.endOffset;
    }
    if (next > highWatermark) this.fault(`${what}: records beyond ${highWatermark}`);
  }

  private count(errorCode: number): void {
    this.errorCounts.set(errorCode, (this.errorCounts.get(errorCode) ?? 0) + 1);
  }
}

const checksum = (batch: Uint8Array): number => Bun.hash.crc32(batch.subarray(UNTOUCHED_FROM));
