import { BatchField, crc32c } from "@mantou/protocol";

/** Redoes the checksum after a change behind the CRC field of the batch in `bytes[start, end)`. */
export function sealCrc(bytes: Uint8Array, view: DataView, start: number, end: number): void {
  view.setUint32(start + BatchField.crc, crc32c(bytes, start + BatchField.attributes, end));
}

/** The smallest record: attributes, two deltas, two lengths and a count. */
const RECORD_BYTES_MIN = 6;

/**
 * Walks records and accepts exactly what the native engine accepts (log-core's `records.rs`),
 * since both must give the same verdict: any negative length is null, no varint has spare bits.
 */
export class RecordWalker {
  /** Of the record that {@link next} has just passed. */
  offsetDelta = 0;
  /** A bigint only where a number would not be exact. */
  timestampDelta: number | bigint = 0;
  hasKey = false;

  private at = 0;
  private failed = false;

  constructor(
    private readonly bytes: Uint8Array,
    from: number,
    private readonly end: number,
  ) {
    this.at = from;
  }

  /** Whether everything was used up. */
  get atEnd(): boolean {
    return this.at === this.end;
  }

  /** Passes one record; false where it does not parse, and nothing behind it may be read. */
  next(): boolean {
    const length = this.varint();
    const recordEnd = this.at + length;
    if (this.failed || length < RECORD_BYTES_MIN || recordEnd > this.end) return false;
    this.skip(1, recordEnd);
    this.timestampDelta = this.varlong();
    this.offsetDelta = this.varint();
    const keyLength = this.varint();
    this.hasKey = keyLength >= 0;
    this.skip(keyLength, recordEnd);
    this.skip(this.varint(), recordEnd);
    this.skipHeaders(recordEnd);
    return !this.failed && this.at === recordEnd;
  }

  private skipHeaders(recordEnd: number): void {
    const count = this.varint();
    if (count < 0 || count > (recordEnd - this.at) / 2) this.failed = true;
    for (let header = 0; header < count && !this.failed; header++) {
      const keyLength = this.varint();
      if (keyLength < 0) this.failed = true;
      this.skip(keyLength, recordEnd);
      this.skip(this.varint(), recordEnd);
    }
  }

  private skip(length: number, recordEnd: number): void {
    if (length <= 0) return;
    if (length > recordEnd - this.at) this.failed = true;
    else this.at += length;
  }

  /** A zig-zag varint that fits 32 bits. */
  private varint(): number {
    let raw = 0;
    for (let index = 0; index < 5; index++) {
      const byte = this.byte();
      raw += (byte & 0x7f) * 2 ** (7 * index);
      if (byte >= 0x80) continue;
      if (raw >= 2 ** 32) break;
      return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    }
    this.failed = true;
    return 0;
  }

  /** A zig-zag varint that fits 64 bits; seven bytes of it fit a number. */
  private varlong(): number | bigint {
    let raw = 0;
    for (let index = 0; index < 7; index++) {
      const byte = this.byte();
      raw += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    }
    let large = BigInt(raw);
    for (let index = 7; index < 10; index++) {
      const byte = this.byte();
      if (index === 9 && byte > 1) break;
      large |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return large & 1n ? -(large >> 1n) - 1n : large >> 1n;
    }
    this.failed = true;
    return 0;
  }

  private byte(): number {
    if (this.at >= this.end) {
      this.failed = true;
      return 0;
    }
    return this.bytes[this.at++] as number;
  }
}
