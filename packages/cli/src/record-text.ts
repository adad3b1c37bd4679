import { usage } from "./failure.ts";

/** What bytes of a key or value are, for reading and for writing. */
export type RecordEncoding = "text" | "json" | "hex" | "base64" | "int32" | "int64" | "float64";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loose = new TextDecoder("utf-8", { ignoreBOM: true });
const utf8 = new TextEncoder();

/** Bytes as text, or null where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** Bytes as text; what is no UTF-8 becomes U+FFFD. */
export const looseText = (bytes: Uint8Array): string => loose.decode(bytes);

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A key or value in JSON, and what it takes to get its bytes back (null: it is plain text). */
export interface EncodedPart {
  readonly value: unknown;
  readonly encoding: RecordEncoding | null;
}

/** Bytes for JSON. Text stays text; what cannot be shown as asked is base64, never damaged. */
export function encodePart(bytes: Uint8Array | null, as: RecordEncoding): EncodedPart {
  if (bytes === null) return { value: null, encoding: null };
  const base64 = (): EncodedPart => ({ value: bytes.toBase64(), encoding: "base64" });
  switch (as) {
    case "text": {
      const text = textOf(bytes);
      return text === null ? base64() : { value: text, encoding: null };
    }
    case "json":
      return jsonPart(bytes) ?? encodePart(bytes, "text");
    case "hex":
      return { value: bytes.toHex(), encoding: "hex" };
    case "base64":
      return base64();
    case "int32":
      return bytes.length === 4 ? { value: viewOf(bytes).getInt32(0), encoding: as } : base64();
    case "int64": {
      if (bytes.length !== 8) return base64();
      const value = viewOf(bytes).getBigInt64(0);
      // Numbers beyond 2^53 would lose digits on their way through JSON.
      const isSafe = Number.isSafeInteger(Number(value));
      return { value: isSafe ? Number(value) : String(value), encoding: as };
    }
    case "float64": {
      if (bytes.length !== 8) return base64();
      const value = viewOf(bytes).getFloat64(0);
      // JSON has neither infinities nor NaN nor a zero below zero.
      const isShown = Number.isFinite(value) && !Object.is(value, -0);
      return isShown ? { value, encoding: as } : base64();
    }
  }
}

function jsonPart(bytes: Uint8Array): EncodedPart | null {
  try {
    const text = strict.decode(bytes);
    const value = JSON.parse(text) as unknown;
    return keepsNumbers(text) ? { value, encoding: "json" } : null;
  } catch {
    return null;
  }
}

/** Whether all numbers of a JSON text are what they were once they have been a double. */
function keepsNumbers(text: string): boolean {
  if (!/\d{16}/.test(text)) return true;
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const tokens = bare.match(/[-+.\deE]*\d{16}[-+.\deE]*/g) ?? [];
  return tokens.every((token) => String(Number(token)) === token);
}

/** The other way. @param what for the error: "the value". Throws Failure. */
export function decodePart(value: unknown, as: RecordEncoding, what: string): Uint8Array | null {
  if (as === "json") return utf8.encode(typeof value === "string" ? value : JSON.stringify(value));
  if (value === null || value === undefined) return null;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  switch (as) {
    case "text":
      return utf8.encode(text);
    case "hex":
      return decoded(what, text, "hex", () => Uint8Array.fromHex(text));
    case "base64":
      return decoded(what, text, "base64", () => Uint8Array.fromBase64(text));
    case "int32":
      return number(what, text, 4, (view) => {
        if (!/^[+-]?\d+$/.test(text) || Number(text) !== (Number(text) | 0)) throw new RangeError();
        view.setInt32(0, Number(text));
      });
    case "int64":
      return number(what, text, 8, (view) => {
        const integer = BigInt(text);
        if (BigInt.asIntN(64, integer) !== integer) throw new RangeError();
        view.setBigInt64(0, integer);
      });
    case "float64":
      return number(what, text, 8, (view) => {
        if (text.trim() === "" || Number.isNaN(Number(text))) throw new RangeError();
        view.setFloat64(0, Number(text));
      });
  }
}

function number(
  what: string,
  text: string,
  bytes: number,
  put: (view: DataView) => void,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  try {
    put(view);
  } catch {
    throw usage(
      `${what} ${JSON.stringify(text.slice(0, 100))} does not fit into ${bytes} bytes as a number`,
    );
  }
  return new Uint8Array(view.buffer);
}

function decoded(what: string, text: string, form: string, decode: () => Uint8Array): Uint8Array {
  try {
    return decode();
  } catch {
    throw usage(`${what} ${JSON.stringify(text.slice(0, 100))} is not ${form}`);
  }
}
