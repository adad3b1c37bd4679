import { BatchFault, RecordsError } from "./records-error.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** Bytes that `value` takes as a zigzag varint or varlong. Integer, up to 2^53 - 1 either way. */
export function varintSize(value: number): number {
  let half = value < 0 ? -value - 1 : value;
  let size = 1;
  for (; half >= 64; half = Math.floor(half / 128)) size += 1;
  return size;
}

/** Writes a zigzag varint or varlong; returns the position behind it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  // Zigzag doubles the magnitude and puts the sign below it. Doing the first seven bits by hand
  // keeps everything below 2^53, where doubles are exact.
  const sign = value < 0 ? 1 : 0;
  const half = sign === 1 ? -value - 1 : value;
  let rest = Math.floor(half / 64);
  let position = at;
  bytes[position] = (half % 64) * 2 + sign + (rest > 0 ? 128 : 0);
  position += 1;
  while (rest > 0) {
    const bits = rest % 128;
    rest = Math.floor(rest / 128);
    bytes[position] = bits + (rest > 0 ? 128 : 0);
    position += 1;
  }
  return position;
}

/**
 * A position in a range of bytes, read forward. Every read is checked against the end, and throws
 * RecordsError (RECORDS) where the bytes do not hold what is asked for.
 */
export class ByteCursor {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  end = 0;

  /** Points at `bytes[start, end)`; the caller vouches for the range. */
  at(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    return this;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  fail(what: string): never {
    throw new RecordsError(BatchFault.RECORDS, `${what} at byte ${this.position}`);
  }

  byte(): number {
    if (this.position >= this.end) this.fail("the record ends early");
    const value = this.bytes[this.position] as number;
    this.position += 1;
    return value;
  }

  /** A zigzag varint of at most 5 bytes: a signed 32-bit integer. */
  varint(): number {
    let value = this.byte();
    if (value >= 128) {
      value &= 0x7f;
      let shift = 7;
      for (;;) {
        const next = this.byte();
        if (shift === 28) {
          if (next > 0x0f) this.fail("a varint is too long");
          value |= next << 28;
          break;
        }
        value |= (next & 0x7f) << shift;
        if (next < 128) break;
        shift += 7;
      }
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** A zigzag varlong of at most 10 bytes, saturated to +-(2^53 - 1). */
  varlong(): number {
    const first = this.byte();
    let half = (first & 0x7f) >>> 1;
    if (first >= 128) {
      let scale = 64;
      for (let count = 2; ; count += 1) {
        const next = this.byte();
        if (count === 10 && next > 1) this.fail("a varlong is too long");
        half += (next & 0x7f) * scale;
        if (next < 128) break;
        scale *= 128;
      }
    }
    if (half > MAX) half = MAX;
    return (first & 1) === 0 ? half : Math.max(-half - 1, -MAX);
  }

  /** A length that must lie within what remains; -1 stands for null where that is allowed. */
  length(nullable: boolean, what: string): number {
    const value = this.varint();
    if (value < (nullable ? -1 : 0) || value > this.remaining) {
      this.fail(`${what} has length ${value} with ${this.remaining} bytes left`);
    }
    return value;
  }
}
