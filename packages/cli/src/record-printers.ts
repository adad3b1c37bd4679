import type { ConsumedRecord } from "@mantou/client";
import { isoTime } from "./humane.ts";
import { recordToJson, type RecordFormats } from "./record-json.ts";
import { compilePrintf, joined, type RecordPrinter } from "./record-printf.ts";
import { encodePart } from "./record-text.ts";
import { printable } from "./table.ts";

export interface PrinterOptions {
  readonly format: string;
  /** `-f`; wins over `format`. */
  readonly printf: string | null;
  readonly formats: RecordFormats;
  readonly hasColor: boolean;
}

const EMPTY = new Uint8Array(0);
const utf8 = new TextEncoder();

/** How records are printed one by one. Throws Failure where the format is not understood. */
export function recordPrinter(options: PrinterOptions): RecordPrinter {
  const { formats } = options;
  if (options.printf !== null) return compilePrintf(options.printf);
  if (options.format === "ndjson") {
    return (record) => utf8.encode(`${JSON.stringify(recordToJson(record, formats))}\n`);
  }
  if (options.format === "pretty") return (record) => utf8.encode(pretty(record, options));
  if (formats.value === "text") return (record) => joined([record.value ?? EMPTY, "\n"]);
  return (record) => {
    const { value } = encodePart(record.value, formats.value);
    return utf8.encode(`${typeof value === "string" ? value : JSON.stringify(value)}\n`);
  };
}

/** A line with the place, time and key, then headers, then the value, JSON laid out. */
function pretty(record: ConsumedRecord, { formats, hasColor }: PrinterOptions): string {
  const dim = (text: string): string => (hasColor ? `\u001b[2m${text}\u001b[0m` : text);
  const bold = (text: string): string => (hasColor ? `\u001b[36m${text}\u001b[0m` : text);
  const place = `${record.topic}/${record.partition}@${record.offset}`;
  const key = encodePart(record.key, formats.key).value;
  const shown = typeof key === "string" ? printable(key) : JSON.stringify(key);
  const keyText = key === null ? "" : `  ${bold(shown)}`;
  const lines = [`${dim(`${place}  ${isoTime(record.timestamp) ?? "-"}`)}${keyText}`];
  for (const header of record.headers) {
    const { value } = encodePart(header.value, "text");
    lines.push(dim(`  ${printable(header.key)}: ${printable(String(value ?? "(null)"))}`));
  }
  lines.push(prettyValue(record.value, formats));
  return `${lines.join("\n")}\n`;
}

function prettyValue(value: Uint8Array | null, formats: RecordFormats): string {
  if (value === null) return "(tombstone)";
  if (formats.value !== "text") {
    return JSON.stringify(encodePart(value, formats.value).value, null, 2);
  }
  const first = value[0];
  // Only what begins like an object or a list is worth the attempt.
  if (first === 0x7b || first === 0x5b) {
    const { value: parsed, encoding } = encodePart(value, "json");
    if (encoding === "json") return JSON.stringify(parsed, null, 2);
  }
  const { value: text, encoding } = encodePart(value, "text");
  if (encoding === "base64") return `(${value.length} bytes) ${String(text)}`;
  return String(text).split("\n").map(printable).join("\n");
}
