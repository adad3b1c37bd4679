import { assert } from "@mantou/base";
import {
  BATCH_HEADER_BYTES,
  BatchAttribute,
  BatchFault,
  BatchField,
  BatchView,
  type Codecs,
  CompressionType,
  MAGIC_V2,
  RecordsError,
  checkPayload,
  codecFor,
} from "@mantou/protocol";
import { INSPECT_WORDS, Inspect, InspectCode, InspectFlag } from "../layout.ts";
import type { Arena } from "../ports.ts";
import type { Table } from "../table.ts";
import { RecordWalker, sealCrc } from "./batch.ts";

const NO_RECORD = 0xffff_ffff;
/** The broker's own bits, wherever a client sets them. */
const FORBIDDEN_ATTRIBUTES = BatchAttribute.CONTROL | BatchAttribute.DELETE_HORIZON;

/** See `LogStore.inspect`. Compressed records are walked where `codecs` has their codec. */
export function inspectTable(arena: Arena, table: Table, rows: number, codecs: Codecs): void {
  assert(table.rowWords === INSPECT_WORDS && rows <= table.capacity, "inspect table");
  const judge = new BatchJudge(arena, codecs);
  for (let row = 0; row < rows; row++) {
    const offset = table.word(row, Inspect.offset);
    const length = table.word(row, Inspect.length);
    assert(offset + length <= arena.bytes.length, "inspect range");
    const inflatedBytesMax = table.word(row, Inspect.inflatedBytesMax);
    const code = judge.judge(offset, length, table.word(row, Inspect.flags), inflatedBytesMax);
    table.setWord(row, Inspect.code, code);
    table.setWord(row, Inspect.recordIndex, judge.recordIndex);
  }
}

/** Judges one batch after the other, in the order of checks that log-core's `inspect.rs` has. */
class BatchJudge {
  recordIndex = NO_RECORD;
  private readonly batch = new BatchView();

  constructor(
    private readonly arena: Arena,
    private readonly codecs: Codecs,
  ) {}

  judge(offset: number, length: number, flags: number, inflatedBytesMax: number): number {
    this.recordIndex = NO_RECORD;
    const code = this.judgeHeader(offset, length);
    if (code !== InspectCode.OK) return code;
    const needsKeys = (flags & InspectFlag.KEYS_REQUIRED) !== 0;
    const validate = needsKeys || (flags & InspectFlag.VALIDATE_RECORDS) !== 0;
    const payload = offset + BATCH_HEADER_BYTES;
    const end = offset + length;
    if (this.batch.codec === CompressionType.NONE) {
      return this.walk(new RecordWalker(this.arena.bytes, payload, end), needsKeys);
    }
    try {
      const bytes = this.arena.bytes.subarray(payload, end);
      checkPayload(this.batch.codec, bytes);
      if (!validate) return InspectCode.OK;
      const plain = codecFor(this.codecs, this.batch.codec).decompress(bytes, inflatedBytesMax);
      return this.walk(new RecordWalker(plain, 0, plain.length), needsKeys);
    } catch (error) {
      if (!(error instanceof RecordsError)) throw error;
      // What nobody can inflate here has been judged by its framing.
      if (error.fault === BatchFault.CODEC_MISSING) return InspectCode.OK;
      const isSize = error.fault === BatchFault.INFLATED_SIZE;
      return isSize ? InspectCode.INFLATED_SIZE : InspectCode.COMPRESSION;
    }
  }

  private judgeHeader(offset: number, length: number): number {
    const { bytes, view } = this.arena;
    if (length <= BatchField.magic) return InspectCode.TRUNCATED;
    const batch = this.batch.at(view, offset);
    if (batch.magic !== MAGIC_V2) return InspectCode.MAGIC;
    if (length < BATCH_HEADER_BYTES) return InspectCode.TRUNCATED;
    const size = batch.sizeBytes;
    if (size < BATCH_HEADER_BYTES || size > length) return InspectCode.TRUNCATED;
    if (size < length) return InspectCode.TRAILING;
    if (batch.computeCrc(bytes) !== batch.crc) return InspectCode.CRC;
    const { attributes, recordsCount } = batch;
    const hasProducer = batch.producerId >= 0;
    if ((attributes & FORBIDDEN_ATTRIBUTES) !== 0) return InspectCode.ATTRIBUTES;
    if (batch.isTransactional && !hasProducer) return InspectCode.ATTRIBUTES;
    if (batch.isLogAppendTime) return InspectCode.TIMESTAMP_TYPE;
    if (batch.baseOffset !== 0 || recordsCount <= 0) return InspectCode.COUNT;
    if (batch.lastOffsetDelta !== recordsCount - 1) return InspectCode.COUNT;
    if (hasProducer && batch.baseSequence < 0) return InspectCode.COUNT;
    return batch.codec > CompressionType.ZSTD ? InspectCode.COMPRESSION : InspectCode.OK;
  }

  /** Walks every record, and puts right a `maxTimestamp` that is not theirs, as Kafka does. */
  private walk(records: RecordWalker, needsKeys: boolean): number {
    const { batch } = this;
    let largestDelta: number | bigint = -Infinity;
    for (let index = 0; index < batch.recordsCount; index++) {
      this.recordIndex = index;
      if (!records.next() || records.offsetDelta !== index) return InspectCode.RECORDS;
      if (needsKeys && !records.hasKey) return InspectCode.KEY_MISSING;
      if (records.timestampDelta > largestDelta) largestDelta = records.timestampDelta;
    }
    this.recordIndex = NO_RECORD;
    if (!records.atEnd) return InspectCode.RECORDS;
    this.mend(batch.offset, largestDelta);
    return InspectCode.OK;
  }

  /** Exact for any 64 bits that a client may send. */
  private mend(offset: number, largestDelta: number | bigint): void {
    const { bytes, view } = this.arena;
    const base = view.getBigInt64(offset + BatchField.baseTimestamp);
    const largest = BigInt.asIntN(64, base + BigInt(largestDelta));
    if (view.getBigInt64(offset + BatchField.maxTimestamp) === largest) return;
    view.setBigInt64(offset + BatchField.maxTimestamp, largest);
    sealCrc(bytes, view, offset, this.batch.endOffset);
  }
}
