import { assert } from "@mantou/base";
import { INSPECT_WORDS, Inspect, InspectCode, InspectFlag } from "../layout.ts";
import type { Arena } from "../ports.ts";
import type { Table } from "../table.ts";
import { At, Attribute, HEADER_BYTES, LENGTH_PREFIX_BYTES, RecordCursor } from "./batch.ts";
import { isReadablePayload } from "./codec-headers.ts";
import { crc32c } from "./crc32c.ts";

const NO_RECORD = 0xffff_ffff;
const MAGIC_V2 = 2;
/** Codec numbers 0 to 4: none, gzip, snappy, lz4, zstd. */
const CODEC_MAX = 4;
/** Bits that a client may set: codec, and transactional. */
const CLIENT_ATTRIBUTES = Attribute.CODEC_MASK | Attribute.TRANSACTIONAL;
/** The smallest record: length, attributes, two deltas, two lengths, header count. */
const RECORD_BYTES_MIN = 7;

/** See `LogStore.inspect`. */
export function inspectTable(arena: Arena, table: Table, rows: number): void {
  assert(table.rowWords === INSPECT_WORDS && rows <= table.capacity, "inspect table");
  const judge = new BatchJudge(arena);
  for (let row = 0; row < rows; row++) {
    const offset = table.word(row, Inspect.offset);
    const length = table.word(row, Inspect.length);
    assert(offset + length <= arena.bytes.length, "inspect range");
    judge.recordIndex = NO_RECORD;
    const code = judge.judge(offset, length, table.word(row, Inspect.flags));
    table.setWord(row, Inspect.code, code);
    table.setWord(row, Inspect.recordIndex, judge.recordIndex);
  }
}

/** Checks in the order in which a later one relies on an earlier one. */
class BatchJudge {
  recordIndex = NO_RECORD;
  private readonly cursor: RecordCursor;

  constructor(private readonly arena: Arena) {
    this.cursor = new RecordCursor(arena.bytes);
  }

  judge(offset: number, length: number, flags: number): number {
    const { bytes, view } = this.arena;
    if (length <= At.magic) return InspectCode.TRUNCATED;
    if (bytes[offset + At.magic] !== MAGIC_V2) return InspectCode.MAGIC;
    if (length < HEADER_BYTES) return InspectCode.TRUNCATED;
    const size = view.getInt32(offset + At.batchLength) + LENGTH_PREFIX_BYTES;
    if (size < HEADER_BYTES || size > length) return InspectCode.TRUNCATED;
    if (size < length) return InspectCode.TRAILING;
    const crc = crc32c(bytes, offset + At.attributes, length - At.attributes);
    if (crc !== view.getUint32(offset + At.crc)) return InspectCode.CRC;
    const attributes = view.getInt16(offset + At.attributes);
    if ((attributes & ~CLIENT_ATTRIBUTES) !== 0) return InspectCode.ATTRIBUTES;
    const count = view.getInt32(offset + At.recordsCount);
    const lastOffsetDelta = view.getInt32(offset + At.lastOffsetDelta);
    if (count <= 0 || lastOffsetDelta !== count - 1) return InspectCode.COUNT;
    const codec = attributes & Attribute.CODEC_MASK;
    if (codec > CODEC_MAX) return InspectCode.COMPRESSION;
    const payload = offset + HEADER_BYTES;
    if (codec !== 0) {
      return isReadablePayload(codec, bytes, payload, offset + length)
        ? InspectCode.OK
        : InspectCode.COMPRESSION;
    }
    if (count > (length - HEADER_BYTES) / RECORD_BYTES_MIN) return InspectCode.RECORDS;
    const needsKeys = (flags & InspectFlag.KEYS_REQUIRED) !== 0;
    const walks = needsKeys || (flags & InspectFlag.VALIDATE_RECORDS) !== 0;
    return walks ? this.walk(payload, offset + length, count, needsKeys) : InspectCode.OK;
  }

  private walk(from: number, end: number, count: number, needsKeys: boolean): number {
    const { cursor } = this;
    cursor.reset(this.arena.bytes, from, end);
    for (let index = 0; index < count; index++) {
      const length = cursor.varint();
      const start = cursor.at;
      this.recordIndex = index;
      if (cursor.failed || length < 0 || length > cursor.remaining) return InspectCode.RECORDS;
      const hasKey = this.walkRecord(index);
      if (cursor.failed || cursor.at !== start + length) return InspectCode.RECORDS;
      if (needsKeys && !hasKey) return InspectCode.KEY_MISSING;
    }
    this.recordIndex = NO_RECORD;
    return cursor.remaining === 0 ? InspectCode.OK : InspectCode.RECORDS;
  }

  /** Reads one record behind its length; tells whether it has a key. */
  private walkRecord(index: number): boolean {
    const { cursor } = this;
    cursor.skip(1);
    cursor.varlong();
    if (cursor.varint() !== index) cursor.failed = true;
    const keyLength = cursor.varint();
    if (keyLength >= 0) cursor.skip(keyLength);
    else if (keyLength !== -1) cursor.failed = true;
    const valueLength = cursor.varint();
    if (valueLength >= 0) cursor.skip(valueLength);
    else if (valueLength !== -1) cursor.failed = true;
    const headers = cursor.varint();
    if (headers < 0) cursor.failed = true;
    for (let header = 0; header < headers && !cursor.failed; header++) {
      cursor.skip(cursor.varint());
      const length = cursor.varint();
      if (length >= 0) cursor.skip(length);
      else if (length !== -1) cursor.failed = true;
    }
    return keyLength >= 0;
  }
}
