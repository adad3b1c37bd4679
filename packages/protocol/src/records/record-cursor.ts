import { ByteCursor } from "./varint.ts";

/** One header of a record. Kafka allows a null value, and the same key more than once. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** What the records of one batch share. */
export interface RecordsContext {
  readonly baseOffset: number;
  readonly baseTimestamp: number;
  /** The time of every record where the batch has LogAppendTime, else null. */
  readonly appendTimestamp: number | null;
  /** The batch's recordsCount; more or fewer records are refused. */
  readonly recordsCount: number;
}

const utf8 = new TextDecoder();
const MAX = Number.MAX_SAFE_INTEGER;

/**
 * Walks the records of an uncompressed payload without allocating: `next` moves on, the fields
 * tell where the parts of the current record lie. `next` parses a record whole, headers included,
 * so what it accepts is well-formed. Throws RecordsError (RECORDS) where it is not.
 */
export class RecordCursor {
  private readonly cursor = new ByteCursor();
  private baseOffset = 0;
  private baseTimestamp = 0;
  private appendTimestamp: number | null = null;
  private left = 0;

  /** Index of the current record in its batch, from 0; -1 before the first. */
  index = -1;
  offsetDelta = 0;
  offset = 0;
  timestamp = 0;
  /** Absolute positions in the buffer; a length of -1 means null. */
  keyOffset = 0;
  keyLength = -1;
  valueOffset = 0;
  valueLength = -1;
  headersOffset = 0;
  headersCount = 0;

  /** Points at the records in `bytes[start, end)`; the caller vouches for the range. */
  at(bytes: Uint8Array, start: number, end: number, context: RecordsContext): this {
    this.cursor.at(bytes, start, end);
    this.baseOffset = context.baseOffset;
    this.baseTimestamp = context.baseTimestamp;
    this.appendTimestamp = context.appendTimestamp;
    this.left = context.recordsCount;
    this.index = -1;
    return this;
  }

  /** Moves to the next record; false behind the last one, where nothing may be left over. */
  next(): boolean {
    const cursor = this.cursor;
    if (this.left <= 0) {
      if (cursor.remaining > 0) cursor.fail(`${cursor.remaining} bytes follow the last record`);
      return false;
    }
    this.left -= 1;
    this.index += 1;
    const payloadEnd = cursor.end;
    const length = cursor.length(false, "a record");
    cursor.end = cursor.position + length;
    cursor.byte();
    const timestampDelta = cursor.varlong();
    this.offsetDelta = cursor.varint();
    this.offset = this.baseOffset + this.offsetDelta;
    this.timestamp =
      this.appendTimestamp ?? Math.max(-MAX, Math.min(MAX, this.baseTimestamp + timestampDelta));
    this.keyLength = cursor.length(true, "a key");
    this.keyOffset = cursor.position;
    if (this.keyLength > 0) cursor.position += this.keyLength;
    this.valueLength = cursor.length(true, "a value");
    this.valueOffset = cursor.position;
    if (this.valueLength > 0) cursor.position += this.valueLength;
    this.skipHeaders();
    if (cursor.remaining > 0) cursor.fail(`a record has ${cursor.remaining} bytes to spare`);
    cursor.end = payloadEnd;
    return true;
  }

  private skipHeaders(): void {
    const cursor = this.cursor;
    this.headersCount = cursor.varint();
    this.headersOffset = cursor.position;
    // A header takes two bytes at least, which bounds the loop by the bytes that are there.
    if (this.headersCount < 0 || this.headersCount > cursor.remaining / 2) {
      cursor.fail(`a record claims ${this.headersCount} headers`);
    }
    for (let count = this.headersCount; count > 0; count -= 1) {
      const keyLength = cursor.length(false, "a header's key");
      cursor.position += keyLength;
      const valueLength = cursor.length(true, "a header's value");
      if (valueLength > 0) cursor.position += valueLength;
    }
  }

  /** The key; shares memory with the buffer. */
  key(): Uint8Array | null {
    return this.part(this.keyOffset, this.keyLength);
  }

  /** The value; shares memory with the buffer. */
  value(): Uint8Array | null {
    return this.part(this.valueOffset, this.valueLength);
  }

  /** The headers of the current record; values share memory with the buffer. */
  headers(): RecordHeader[] {
    if (this.headersCount === 0) return [];
    const { bytes, end } = this.cursor;
    const cursor = new ByteCursor().at(bytes, this.headersOffset, end);
    const headers: RecordHeader[] = [];
    for (let count = this.headersCount; count > 0; count -= 1) {
      const keyLength = cursor.length(false, "a header's key");
      const key = utf8.decode(bytes.subarray(cursor.position, cursor.position + keyLength));
      cursor.position += keyLength;
      const valueLength = cursor.length(true, "a header's value");
      const at = cursor.position;
      headers.push({ key, value: valueLength < 0 ? null : bytes.subarray(at, at + valueLength) });
      if (valueLength > 0) cursor.position += valueLength;
    }
    return headers;
  }

  private part(offset: number, length: number): Uint8Array | null {
    return length < 0 ? null : this.cursor.bytes.subarray(offset, offset + length);
  }
}
