import type { ConsumedRecord, Message } from "@mantou/client";
import { usage } from "./failure.ts";
import { momentOf } from "./moments.ts";
import { decodePart, encodePart, type RecordEncoding } from "./record-text.ts";

/**
 * A record as one JSON object. `keyEncoding` and `valueEncoding` are there only where the plain
 * text of the bytes does not stand in `key` and `value`.
 */
export interface RecordJson {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch; -1: none. */
  readonly timestamp: number;
  readonly key: unknown;
  readonly value: unknown;
  readonly headers: readonly {
    readonly key: string;
    readonly value: unknown;
    readonly encoding?: RecordEncoding;
  }[];
  readonly keyEncoding?: RecordEncoding;
  readonly valueEncoding?: RecordEncoding;
}

export interface RecordFormats {
  readonly key: RecordEncoding;
  readonly value: RecordEncoding;
}

export function recordToJson(record: ConsumedRecord, formats: RecordFormats): RecordJson {
  const { topic, partition, offset, timestamp } = record;
  const key = encodePart(record.key, formats.key);
  const value = encodePart(record.value, formats.value);
  const headers = record.headers.map((header) => {
    const part = encodePart(header.value, "text");
    const { encoding } = part;
    return { key: header.key, value: part.value, ...(encoding === null ? {} : { encoding }) };
  });
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: key.value,
    value: value.value,
    headers,
    ...(key.encoding === null ? {} : { keyEncoding: key.encoding }),
    ...(value.encoding === null ? {} : { valueEncoding: value.encoding }),
  };
}

const ENCODINGS: ReadonlySet<unknown> = new Set([
  "text",
  "json",
  "hex",
  "base64",
  "int32",
  "int64",
  "float64",
]);

/**
 * The message that a line of ndjson stands for. Fields that are absent are taken from `fallback`;
 * offset and partition of where it came from do not matter. Throws Failure.
 */
export function messageFromJson(
  line: string,
  fallback: { readonly topic: string | null; readonly nowMs: number },
): Message {
  const object = parsedLine(line);
  // A failed command upstream in the pipe has said so in its envelope.
  if (object["ok"] === false && "error" in object) {
    const { message } = object["error"] as { message?: unknown };
    throw usage(`the input says that it failed: ${String(message)}`);
  }
  const topic = fallback.topic ?? object["topic"];
  if (typeof topic !== "string") throw usage("no topic: name one, or put it into each record");
  if (!("value" in object) && !("key" in object)) {
    throw usage(`a record needs "key" or "value": ${line.slice(0, 200)}`);
  }
  return {
    topic,
    key: partOf(object, "key"),
    value: partOf(object, "value"),
    headers: headersOf(object["headers"]),
    ...timestampOf(object["timestamp"], fallback.nowMs),
  };
}

function parsedLine(line: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    const why = (error as Error).message;
    throw usage(`not a line of JSON (${why}): ${line.slice(0, 200)}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw usage(`not a JSON object: ${line.slice(0, 200)}`);
  }
  return parsed as Record<string, unknown>;
}

function partOf(object: Record<string, unknown>, name: "key" | "value"): Uint8Array | null {
  const value = object[name];
  const encoding = object[`${name}Encoding`] ?? "text";
  if (!ENCODINGS.has(encoding)) {
    throw usage(`${name}Encoding ${JSON.stringify(encoding)} is not known`);
  }
  // The string "abc" in JSON form has its quotes in the record.
  if (encoding === "json" && name in object) {
    return new TextEncoder().encode(JSON.stringify(value));
  }
  return decodePart(value ?? null, encoding as RecordEncoding, name);
}

function headersOf(headers: unknown): { key: string; value: Uint8Array | null }[] {
  if (headers === undefined || headers === null) return [];
  const list: unknown[] = Array.isArray(headers)
    ? headers
    : Object.entries(headers as object).map(([key, value]) => ({ key, value: value as unknown }));
  return list.map((item) => {
    const { key, value, encoding } = item as { key?: unknown; value?: unknown; encoding?: unknown };
    if (typeof key !== "string") throw usage("a header needs a key");
    if (encoding !== undefined && !ENCODINGS.has(encoding)) {
      throw usage(`encoding ${JSON.stringify(encoding)} of header ${key} is not known`);
    }
    const form = (encoding ?? "text") as RecordEncoding;
    return { key, value: decodePart(value ?? null, form, `header ${key}`) };
  });
}

function timestampOf(timestamp: unknown, nowMs: number): { timestamp?: number } {
  if (typeof timestamp === "number" && timestamp >= 0) return { timestamp };
  if (typeof timestamp === "string") {
    return { timestamp: momentOf("timestamp", timestamp, nowMs) };
  }
  return {};
}
