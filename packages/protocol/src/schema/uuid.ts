import type { Uuid } from "@mantou/base";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const UUID_CHARS = 22;

/** Digit of each ASCII character in url-safe base64, or -1. */
const DIGITS = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 64; digit++) DIGITS[ALPHABET.charCodeAt(digit)] = digit;

/** Remembered ids: a direct-mapped cache, so that it never grows and never has to be swept. */
const SLOTS = 1024;
const slotWords = new Int32Array(SLOTS * 4);
const slotUuids: (Uuid | undefined)[] = new Array(SLOTS).fill(undefined);

/** Reads 16 bytes as a uuid in text. The caller has checked that they are there. */
export function readUuid(view: DataView, at: number): Uuid {
  const a = view.getInt32(at);
  const b = view.getInt32(at + 4);
  const c = view.getInt32(at + 8);
  const d = view.getInt32(at + 12);
  const slot = Math.imul(a ^ Math.imul(b, 31) ^ (c << 7) ^ d, 0x9e3779b1) >>> 22;
  const word = slot * 4;
  const known = slotUuids[slot];
  if (
    known !== undefined &&
    slotWords[word] === a &&
    slotWords[word + 1] === b &&
    slotWords[word + 2] === c &&
    slotWords[word + 3] === d
  ) {
    return known;
  }
  const text = uuidText(view, at);
  slotWords[word] = a;
  slotWords[word + 1] = b;
  slotWords[word + 2] = c;
  slotWords[word + 3] = d;
  slotUuids[slot] = text;
  return text;
}

function uuidText(view: DataView, at: number): Uuid {
  let text = "";
  for (let group = 0; group < 15; group += 3) {
    const bits = (view.getUint16(at + group) << 8) | view.getUint8(at + group + 2);
    text += char(bits >>> 18) + char(bits >>> 12) + char(bits >>> 6) + char(bits);
  }
  const last = view.getUint8(at + 15);
  return (text + char(last >>> 2) + char(last << 4)) as Uuid;
}

const char = (bits: number): string => ALPHABET[bits & 63] as string;

const digitAt = (text: string, index: number): number => DIGITS[text.charCodeAt(index)] ?? -1;

/** Whether `text` is the one text form of some uuid. */
export function isUuid(text: string): text is Uuid {
  if (text.length !== UUID_CHARS) return false;
  for (let i = 0; i < UUID_CHARS; i++) if (digitAt(text, i) < 0) return false;
  // 22 digits hold 132 bits: the last four must be zero, or two texts would name one id.
  return (digitAt(text, UUID_CHARS - 1) & 15) === 0;
}

/** Writes 16 bytes; false when `text` is not a uuid, then nothing was written. */
export function writeUuid(view: DataView, at: number, text: string): boolean {
  if (typeof text !== "string" || !isUuid(text)) return false;
  for (let group = 0; group < 5; group++) {
    const i = group * 4;
    const bits =
      (digitAt(text, i) << 18) |
      (digitAt(text, i + 1) << 12) |
      (digitAt(text, i + 2) << 6) |
      digitAt(text, i + 3);
    view.setUint16(at + group * 3, bits >>> 8);
    view.setUint8(at + group * 3 + 2, bits);
  }
  view.setUint8(at + 15, (digitAt(text, 20) << 2) | (digitAt(text, 21) >>> 4));
  return true;
}

/** The text of 16 raw bytes. */
export function uuidFromBytes(bytes: Uint8Array): Uuid {
  return uuidText(new DataView(bytes.buffer, bytes.byteOffset, 16), 0);
}

/** The 16 raw bytes of a uuid in text. Throws RangeError when it is not one. */
export function uuidToBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  if (!writeUuid(new DataView(bytes.buffer), 0, text)) throw new RangeError(`not a uuid: ${text}`);
  return bytes;
}
