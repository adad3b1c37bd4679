import type { ConsumedRecord } from "@mantou/client";
import { usage } from "./failure.ts";
import { isoTime } from "./humane.ts";

/** Gives the bytes that a record is printed as. */
export type RecordPrinter = (record: ConsumedRecord) => Uint8Array;

type Part = (record: ConsumedRecord) => Uint8Array | string;

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "0": "\0",
  "\\": "\\",
};

const EMPTY = new Uint8Array(0);

const FIELDS: Readonly<Record<string, Part>> = {
  t: (record) => record.topic,
  p: (record) => String(record.partition),
  o: (record) => String(record.offset),
  k: (record) => record.key ?? EMPTY,
  v: (record) => record.value ?? EMPTY,
  s: (record) => record.value ?? EMPTY,
  T: (record) => String(record.timestamp),
  d: (record) => isoTime(record.timestamp) ?? "",
  K: (record) => String(record.key?.length ?? -1),
  S: (record) => String(record.value?.length ?? -1),
  h: (record) =>
    record.headers
      .map(({ key, value }) => `${key}=${value === null ? "" : new TextDecoder().decode(value)}`)
      .join(","),
  "%": () => "%",
};

/** Compiles a format as kcat and rpk have them. Throws Failure. */
export function compilePrintf(format: string): RecordPrinter {
  const parts: Part[] = [];
  let literal = "";
  const flush = (): void => {
    const text = literal;
    if (text !== "") parts.push(() => text);
    literal = "";
  };
  for (let at = 0; at < format.length; at += 1) {
    const character = format[at] as string;
    const next = format[at + 1] ?? "";
    if (character === "\\") {
      const hex = /^x([0-9a-fA-F]{2})/.exec(format.slice(at + 1));
      literal +=
        hex === null
          ? (ESCAPES[next] ?? `\\${next}`)
          : String.fromCharCode(parseInt(hex[1] ?? "", 16));
      at += hex === null ? 1 : 3;
    } else if (character === "%") {
      const part = FIELDS[next];
      if (part === undefined) {
        throw usage(
          `-f: %${next} is not known`,
          `there are ${Object.keys(FIELDS)
            .map((f) => `%${f}`)
            .join(" ")}`,
        );
      }
      flush();
      parts.push(part);
      at += 1;
    } else literal += character;
  }
  flush();
  return (record) => joined(parts.map((part) => part(record)));
}

const utf8 = new TextEncoder();

/** One run of bytes from text and bytes. */
export function joined(parts: readonly (Uint8Array | string)[]): Uint8Array {
  const chunks = parts.map((part) => (typeof part === "string" ? utf8.encode(part) : part));
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
