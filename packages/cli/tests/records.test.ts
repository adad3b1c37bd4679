import { describe, expect, test } from "bun:test";
import type { ConsumedRecord } from "@mantou/client";
import { linesOf } from "../src/lines.ts";
import { messageFromJson, recordToJson } from "../src/record-json.ts";
import { compilePrintf } from "../src/record-printf.ts";
import { recordPrinter } from "../src/record-printers.ts";
import { decodePart, encodePart, type RecordEncoding } from "../src/record-text.ts";
import { Where } from "../src/where.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

const record = (fields: Partial<ConsumedRecord> = {}): ConsumedRecord => ({
  topic: "orders",
  partition: 1,
  offset: 42,
  timestamp: 1_700_000_000_000,
  key: utf8.encode("anna"),
  value: utf8.encode('{"total":41}'),
  headers: [{ key: "lang", value: utf8.encode("en") }],
  leaderEpoch: 0,
  ...fields,
});

const plain = { key: "text", value: "text" } as const;

describe("records as JSON", () => {
  test("have the fields that scripts rely on", () => {
    expect(recordToJson(record(), plain)).toEqual({
      topic: "orders",
      partition: 1,
      offset: 42,
      timestamp: 1_700_000_000_000,
      key: "anna",
      value: '{"total":41}',
      headers: [{ key: "lang", value: "en" }],
    });
  });

  test("go round without loss, whatever the bytes", () => {
    const parts = [
      null,
      new Uint8Array(0),
      utf8.encode("plain \u{1f35e}"),
      utf8.encode("\uFEFFmark"),
      Uint8Array.of(0xff, 0xfe, 0),
      utf8.encode('"quoted"'),
      utf8.encode("null"),
    ];
    for (const key of parts) {
      for (const value of parts) {
        if (key === null && value === null) continue;
        const given = record({
          key,
          value,
          headers: [
            { key: "h", value },
            { key: "h", value: null },
          ],
        });
        for (const form of ["text", "json", "hex", "base64"] as const) {
          const line = JSON.stringify(recordToJson(given, { key: "text", value: form }));
          const back = messageFromJson(line, { topic: null, nowMs: 0 });
          expect(back.key).toEqual(key);
          expect(back.value).toEqual(value);
          expect(back.headers).toEqual([
            { key: "h", value },
            { key: "h", value: null },
          ]);
          expect(back.timestamp).toBe(given.timestamp);
        }
      }
    }
  });

  test("take what people write by hand", () => {
    const fallback = { topic: "t", nowMs: 0 };
    const message = messageFromJson('{"value":{"a":1},"headers":{"x":"y"}}', fallback);
    expect(text.decode(message.value as Uint8Array)).toBe('{"a":1}');
    expect(message.headers).toEqual([{ key: "x", value: utf8.encode("y") }]);
    expect(message.key).toBe(null);
    expect(() => messageFromJson("[1]", fallback)).toThrow(/not a JSON object/);
    expect(() => messageFromJson('{"vlaue":1}', fallback)).toThrow(/needs "key" or "value"/);
    expect(() => messageFromJson('{"value":"zz","valueEncoding":"hex"}', fallback)).toThrow(/hex/);
    expect(() =>
      messageFromJson('{"v":1,"ok":false,"error":{"message":"no such topic"}}', fallback),
    ).toThrow(/no such topic/);
  });

  test("numbers have their bytes", () => {
    const round = (value: unknown, form: RecordEncoding) =>
      encodePart(decodePart(value, form, "it"), form).value;
    expect(round(-5, "int32")).toBe(-5);
    expect(round("9223372036854775807", "int64")).toBe("9223372036854775807");
    expect(round(1.5, "float64")).toBe(1.5);
    expect(() => decodePart("5000000000", "int32", "it")).toThrow(/4 bytes/);
    expect(encodePart(Uint8Array.of(1), "int32").encoding).toBe("base64");
  });
});

test("numbers that JSON cannot hold stay text or bytes", () => {
  const asJson = (value: string) => encodePart(utf8.encode(value), "json");
  for (const value of [
    '{"id":1234567890123456789}',
    "[-9007199254740993]",
    "0.12345678901234567891",
  ])
    expect(asJson(value)).toEqual({ value, encoding: null });
  for (const value of ['{"id":9007199254740991}', '{"id":"1234567890123456789","n":1.5}', "1e300"])
    expect(asJson(value).encoding).toBe("json");
  for (const number of [Number.NaN, Infinity, -0, 1.5]) {
    const bytes = new Uint8Array(Float64Array.of(number).buffer).toReversed();
    const { value, encoding } = encodePart(bytes, "float64");
    expect(decodePart(value, encoding ?? "text", "the value")).toEqual(bytes);
  }
});

describe("printing records", () => {
  const shown = (format: string, fields: Partial<ConsumedRecord> = {}): string =>
    text.decode(compilePrintf(format)(record(fields)));

  test("like printf", () => {
    expect(shown("%t/%p@%o %k=%v\\n")).toBe('orders/1@42 anna={"total":41}\n');
    expect(shown("%T %d %K %S %h %% \\x41\\t|")).toBe(
      "1700000000000 2023-11-14T22:13:20.000Z 4 12 lang=en % A\t|",
    );
    expect(shown("%k|%K|%v|%S", { key: null, value: null })).toBe("|-1||-1");
    expect(() => compilePrintf("%z")).toThrow(/%z/);
  });

  test("raw gives the bytes, pretty lays JSON out", () => {
    const options = { printf: null, formats: plain, hasColor: false };
    const raw = recordPrinter({ ...options, format: "raw" });
    expect(raw(record({ value: Uint8Array.of(0xff) }))).toEqual(Uint8Array.of(0xff, 10));
    const pretty = text.decode(recordPrinter({ ...options, format: "pretty" })(record()));
    expect(pretty).toContain(
      'orders/1@42  2023-11-14T22:13:20.000Z  anna\n  lang: en\n{\n  "total": 41\n}',
    );
    const evil = recordPrinter({ ...options, format: "pretty" });
    expect(text.decode(evil(record({ value: utf8.encode("\u001b]0;x\u0007") })))).not.toContain(
      "\u001b",
    );
  });
});

describe("--where", () => {
  test("is a TypeScript expression over r", () => {
    const accepts = (expression: string, fields: Partial<ConsumedRecord> = {}): boolean =>
      Where.compile(expression, plain).accepts(record(fields));
    expect(accepts("Number(r.value) > 40", { value: utf8.encode("41") })).toBe(true);
    expect(accepts("Number(r.value) > 40", { value: utf8.encode("40") })).toBe(false);
    expect(accepts("r.json.total > 40 && (r.key as string) === 'anna'")).toBe(true);
    expect(accepts("r.headers.lang === 'en' && r.partition === 1 && r.offset === 42")).toBe(true);
    expect(accepts("r.value === null", { value: null })).toBe(true);
    expect(accepts("r.timestamp! < Date.now() // and a remark")).toBe(true);
  });

  test("leaves out what it cannot judge, and says so", () => {
    const where = Where.compile("r.json.a.b === 1", plain);
    expect(where.accepts(record({ value: utf8.encode("not json") }))).toBe(false);
    expect(where.warning).toContain("1 record, left out");
    expect(() => Where.compile("Number(r.value > 40", plain)).toThrow(/no TypeScript expression/);
  });
});

test("lines are cut wherever the chunks are", async () => {
  const bytes = utf8.encode("one\ntwo\n\nlast \u{1f35e}");
  for (let size = 1; size <= bytes.length; size += 1) {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size)
          controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    const lines: string[] = [];
    for await (const run of linesOf(stream)) lines.push(...run.map((line) => text.decode(line)));
    expect(lines).toEqual(["one", "two", "", "last \u{1f35e}"]);
  }
});
