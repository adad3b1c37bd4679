/**
 * Text on the wire is UTF-8. Names of topics, groups and clients come again and again, so short
 * ASCII strings are remembered: a hit makes no garbage and does not leave the compiled code.
 */

/** Longest text that is remembered, in bytes: a topic name has at most 249 characters. */
const REMEMBERED_BYTES_MAX = 249;
/** A direct-mapped cache: a colliding text takes the slot over, so memory is bounded. */
const SLOTS = 4096;
const slots: (string | undefined)[] = new Array(SLOTS).fill(undefined);

// A byte order mark is content here, and bad sequences become U+FFFD as in every Java client.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads UTF-8. The caller has checked that the bytes are there. */
export function readText(bytes: Uint8Array, at: number, length: number): string {
  if (length === 0) return "";
  if (length > REMEMBERED_BYTES_MAX) return decoder.decode(bytes.subarray(at, at + length));
  const end = at + length;
  let hash = length;
  let high = 0;
  for (let i = at; i < end; i++) {
    const byte = bytes[i] as number;
    hash = Math.imul(hash ^ byte, 0x01000193);
    high |= byte;
  }
  if (high >= 0x80) return decoder.decode(bytes.subarray(at, end));
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const known = slots[slot];
  if (known !== undefined && known.length === length && sameAscii(known, bytes, at)) return known;
  const text = decoder.decode(bytes.subarray(at, end));
  slots[slot] = text;
  return text;
}

function sameAscii(text: string, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[at + i]) return false;
  }
  return true;
}

/** Longest text that is written by a loop rather than by the platform's encoder. */
const LOOP_CHARS_MAX = 64;

/**
 * Writes ASCII at `at`, where `text.length` bytes are free; false when it is not ASCII or too
 * long for a loop to be the faster way.
 */
export function writeAscii(bytes: Uint8Array, at: number, text: string): boolean {
  const length = text.length;
  if (length > LOOP_CHARS_MAX) return false;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return false;
    bytes[at + i] = unit;
  }
  return true;
}

export const encodeText = (text: string): Uint8Array => encoder.encode(text);
