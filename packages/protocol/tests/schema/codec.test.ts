import { describe, expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import type { TypeNode } from "../../src/index.ts";
import { ZERO_UUID } from "@mantou/base";
import {
  DecodeError,
  EncodeError,
  Reader,
  Writer,
  array,
  bytes,
  defineCodec,
  f,
  fetchApi,
  int16,
  int32,
  int64,
  int8,
  produceApi,
  records,
  string,
  struct,
  uint16,
  uuid,
} from "../../src/index.ts";
import { decoderText } from "../../src/schema/decode-compiler.ts";
import { encoderText } from "../../src/schema/encode-compiler.ts";
import { isPresent, leastBytes } from "../../src/schema/shape.ts";
import { allCodecs, versionsOf } from "../messages.ts";

/** Spaces show the fields. */
const hex = (text: string): string => text.replaceAll(" ", "");

const inner = struct({ id: int32, label: f(string, { default: "none" }) });
const schema = struct({
  number: int32,
  small: f(int8, { since: 1 }),
  word: f(string, { since: 1, nullable: 2, default: "w" }),
  gone: f(int32, { until: 1, default: 4 }),
  hint: f(array(string), { since: 2, ignorable: true }),
  list: f(array(inner), { nullable: true }),
  extra: f(struct({ a: f(int32, { default: -1 }), b: f(int64, { default: -1 }) }), {
    since: 2,
    tag: 0,
  }),
  note: f(string, { since: 2, nullable: true, default: null, tag: 3, ignorable: true }),
  cursor: f(inner, { since: 3, nullable: true, default: null }),
});
const codec = defineCodec(schema, { name: "Sample", versions: [0, 3], flexible: 2 });

const encode = (value: Parameters<typeof codec.encode>[1], version: number): string => {
  const writer = new Writer(8);
  codec.encode(writer, value, version);
  return writer.toBytes().toHex();
};
const decode = (hex: string, version: number): ReturnType<typeof codec.decode> =>
  codec.decode(new Reader(Uint8Array.fromHex(hex.replaceAll(" ", ""))), version);
const minimal = { number: 1, list: null };

function thrown(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("one shape for all versions", () => {
  test("fields that a version lacks decode to their fallbacks", () => {
    expect(decode("00000001 00000007 ffffffff", 0)).toEqual({
      number: 1,
      small: 0,
      word: "w",
      gone: 7,
      hint: [],
      list: null,
      extra: { a: -1, b: -1 },
      note: null,
      cursor: null,
    });
  });

  test("fallbacks are fresh: changing one message changes no other", () => {
    const first = decode("00000001 00000007 ffffffff", 0);
    first.hint.push("x");
    first.extra.a = 5;
    const second = decode("00000001 00000007 ffffffff", 0);
    expect(second.hint).toEqual([]);
    expect(second.extra.a).toBe(-1);
  });

  test("undefined is encoded as the fallback", () => {
    expect(encode(minimal, 1)).toBe(hex("00000001 00 000177 00000004 ffffffff"));
    expect(encode({ number: 1, list: [{ id: 2 }] }, 0)).toBe(
      hex("00000001 00000004 00000001 00000002 00046e6f6e65"),
    );
  });

  test("tagged fields are left out while they hold their fallback", () => {
    expect(encode(minimal, 2)).toBe(hex("00000001 00 0277 01 00 00"));
    expect(encode({ ...minimal, extra: { a: -1, b: -1 }, note: null }, 2)).toBe(encode(minimal, 2));
    expect(encode({ ...minimal, extra: {} }, 2)).toBe(encode(minimal, 2));
    expect(encode({ ...minimal, note: "n", extra: { b: 2 } }, 2)).toBe(
      hex("00000001 00 0277 01 00 02 000d ffffffff 0000000000000002 00 0302 026e"),
    );
  });

  test("a tagged field can be null where null is not the fallback's place", () => {
    expect(decode("00000001 00 0277 01 00 01 03 01 00", 2).note).toBeNull();
  });

  test("a nullable struct is a marker and then itself", () => {
    expect(encode({ ...minimal, cursor: { id: 9, label: "" } }, 3)).toBe(
      hex("00000001 00 0277 01 00 01 00000009 01 00 00"),
    );
    expect(decode("00000001 00 0277 01 00 ff 00", 3).cursor).toBeNull();
    for (const [marker, value] of [
      ["00", 0],
      ["02", 2],
      ["fe", -2],
      ["80", -128],
    ] as const) {
      expect(() => decode(`00000001 00 0277 01 00 ${marker} 00`, 3)).toThrow(
        `presence marker ${value}`,
      );
    }
  });

  test("a tagged field of more than 127 bytes gets a longer size", () => {
    for (const length of [125, 126, 127, 128, 200, 16_381, 16_384]) {
      const note = "n".repeat(length);
      const writer = new Writer(8);
      codec.encode(writer, { ...minimal, note }, 2);
      expect(codec.decode(new Reader(writer.toBytes()), 2).note).toBe(note);
    }
  });
});

describe("what a version cannot say", () => {
  test("throws when the value is set and the field is not ignorable", () => {
    const error = thrown(() => encode({ ...minimal, small: 3 }, 0));
    expect(error).toBeInstanceOf(EncodeError);
    expect(error.message).toBe("Sample v0, small: is set, and version 0 does not have it");
    expect(() => encode({ ...minimal, gone: 5 }, 2)).toThrow(EncodeError);
    expect(() => encode({ ...minimal, extra: { a: 1 } }, 1)).toThrow(EncodeError);
    expect(() => encode({ ...minimal, cursor: { id: 1 } }, 2)).toThrow(EncodeError);
  });

  test("passes when the value is the fallback", () => {
    expect(encode({ ...minimal, small: 0, word: "w", extra: { a: -1 }, cursor: null }, 0)).toBe(
      encode(minimal, 0),
    );
    expect(encode({ ...minimal, gone: 4 }, 3)).toBe(encode(minimal, 3));
  });

  test("is dropped when the field is ignorable", () => {
    expect(encode({ ...minimal, hint: ["a", "b"], note: "n" }, 1)).toBe(encode(minimal, 1));
  });

  test("null is refused where the version does not allow it", () => {
    expect(() => encode({ ...minimal, word: null }, 1)).toThrow(
      "Sample v1, word: expected string, got null",
    );
    expect(encode({ ...minimal, word: null }, 2)).toBe(hex("00000001 00 00 01 00 00"));
    expect(() => decode("00000001 00 ffff 00000004 ffffffff", 1)).toThrow(
      "Sample v1, word: null where a value must be (at byte 5)",
    );
  });

  test("a version out of range", () => {
    for (const version of [-1, 4, 0.5, Number.NaN]) {
      expect(() => encode(minimal, version)).toThrow(EncodeError);
      expect(() => decode("00", version)).toThrow(DecodeError);
    }
  });
});

describe("errors name the field", () => {
  test("on encode, and nothing stays written", () => {
    const writer = new Writer(8);
    writer.int16(7);
    const bad = { number: 1, list: [{ id: 1 }, { id: 2.5 }] };
    const error = thrown(() => codec.encode(writer, bad, 2)) as EncodeError;
    expect(error.message).toBe("Sample v2, list[1].id: expected int32, got number 2.5");
    expect(error.path).toBe("list[1].id");
    expect(writer.toBytes().toHex()).toBe("0007");
  });

  test("a defect of the caller's is passed on, and nothing stays written", () => {
    const writer = new Writer(8);
    const value = {
      number: 1,
      get list(): never {
        throw new RangeError("a getter failed");
      },
    };
    expect(() => codec.encode(writer, value, 2)).toThrow(RangeError);
    expect(writer.length).toBe(0);
  });

  test("on encode, for every kind of wrong value", () => {
    const wrong: [object, string][] = [
      [{ list: null }, "number"],
      [{ ...minimal, number: 2 ** 31 }, "number"],
      [{ ...minimal, number: "1" }, "number"],
      [{ ...minimal, small: 128 }, "small"],
      [{ ...minimal, word: 5 }, "word"],
      [{ ...minimal, word: "x".repeat(40_000) }, "word"],
      [{ ...minimal, list: {} }, "list"],
      [{ ...minimal, list: [undefined] }, "list[0]"],
      [{ ...minimal, list: [{ id: 1, label: null }] }, "list[0].label"],
      [{ ...minimal, extra: { b: 2 ** 53 } }, "extra.b"],
      [{ ...minimal, extra: { b: 0.5 } }, "extra.b"],
      [{ ...minimal, hint: [3] }, "hint[0]"],
    ];
    for (const [value, path] of wrong) {
      const error = thrown(() => encode(value as never, 3)) as EncodeError;
      expect({ path, error }).toEqual({ path, error: expect.any(EncodeError) });
      expect(error.path).toBe(path);
    }
  });

  test("on decode, with the position", () => {
    const error = thrown(() =>
      decode("00000001 00000004 00000001 00000002 0009 61", 0),
    ) as DecodeError;
    expect(error.message).toBe(
      "Sample v0, list[0].label: length 9 where 1 bytes remain (at byte 16)",
    );
    expect(error.path).toBe("list[0].label");
    expect(error.position).toBe(16);
  });

  test("on decode in the middle of a buffer, positions are the buffer's", () => {
    const reader = new Reader(new Uint8Array(50)).reset(40, 6);
    expect((thrown(() => codec.decode(reader, 0)) as DecodeError).position).toBe(44);
  });
});

describe("tagged fields on the wire", () => {
  const head = "00000001 00 0277 01 00";

  test("a known tag that comes twice is refused", () => {
    expect(() => decode(`${head} 02 03 02 026e 03 02 026f`, 2)).toThrow("tag 3 comes twice");
  });

  test("known tags out of order are read: Apache's readers do not mind either", () => {
    const value = decode(`${head} 02 03 02 026e 00 0d 00000005 0000000000000006 00`, 2);
    expect(value.note).toBe("n");
    expect(value.extra).toEqual({ a: 5, b: 6 });
  });

  test("content must fill the field exactly", () => {
    expect(() => decode(`${head} 01 03 03 026e00`, 2)).toThrow(
      "1 bytes too many in a tagged field",
    );
    expect(() => decode(`${head} 01 03 01 026e`, 2)).toThrow(/note: length 1 where 0 bytes remain/);
    expect(() => decode(`${head} 01 03 09 026e`, 2)).toThrow(/tagged field of 9 bytes/);
  });
});

describe("the budget", () => {
  const lists = defineCodec(
    struct({ ids: array(int32), words: array(string), blobs: array(bytes), rows: array(inner) }),
    { name: "Lists", versions: [0, 0] },
  );
  const charge = (value: Parameters<typeof lists.encode>[1]): number => {
    const writer = new Writer(8);
    lists.encode(writer, value, 0);
    const reader = new Reader(writer.toBytes()).reset(0, writer.length, 1_000_000);
    lists.decode(reader, 0);
    return 1_000_000 - reader.budgetBytes;
  };
  const none = { ids: [], words: [], blobs: [], rows: [] };

  test("is charged for elements, text and copies", () => {
    expect(charge(none)).toBe(0);
    expect(charge({ ...none, ids: [1, 2, 3] })).toBe(3 * 8);
    expect(charge({ ...none, words: ["abc"] })).toBeGreaterThanOrEqual(8 + 3);
    expect(charge({ ...none, blobs: [new Uint8Array(500)] })).toBeGreaterThanOrEqual(500);
    expect(charge({ ...none, rows: [{ id: 1 }] })).toBeGreaterThan(16);
  });

  test("is used up before the elements are made", () => {
    const count = 1_000_000;
    const wire = new Uint8Array(4 + count * 4 + 12);
    new DataView(wire.buffer).setInt32(0, count);
    const reader = new Reader(wire).reset(0, wire.length, 1000);
    const error = thrown(() => lists.decode(reader, 0)) as DecodeError;
    expect(error.message).toBe("Lists v0, ids: takes more memory than a message may (at byte 4)");
    expect(lists.decode(reader.reset(0, wire.length), 0).ids.length).toBe(count);
  });

  test("a count that the rest cannot hold is refused, whatever the budget", () => {
    const wire = Uint8Array.fromHex("7fffffff00000000");
    expect(() => lists.decode(new Reader(wire).reset(0, 8, Infinity), 0)).toThrow(
      "Lists v0, ids: 2147483647 elements where 4 bytes remain (at byte 0)",
    );
  });
});

describe("records", () => {
  const request = { acks: 1, timeoutMs: 1 };

  test("decode to spans of the buffer, not to copies", () => {
    const writer = new Writer(8);
    const partitionData = [{ index: 0, records: Uint8Array.of(1, 2, 3) }];
    produceApi.request.encode(writer, { ...request, topicData: [{ name: "t", partitionData }] }, 3);
    const buffer = new Uint8Array(writer.length + 100);
    buffer.set(writer.toBytes(), 100);
    const decoded = produceApi.request.decode(new Reader(buffer).reset(100, writer.length), 3);
    const span = decoded.topicData[0]?.partitionData[0]?.records;
    expect(span).toEqual({ offset: buffer.length - 3, length: 3 });
  });

  test("file ranges become gaps with the right lengths around them", () => {
    const partition = (partitionIndex: number, pin: number, length: number): object => ({
      partitionIndex,
      errorCode: 0,
      highWatermark: 5,
      records: { pin, position: 64, length },
    });
    for (const version of [4, 11, 12, 16]) {
      const partitions = [partition(0, 7, 1000), partition(1, 0, 0), partition(2, 9, 300)];
      const topic = version < 13 ? { topic: "t" } : { topicId: ZERO_UUID };
      const value = { responses: [{ ...topic, partitions }] };
      const writer = new Writer(8);
      writer.int32(99);
      fetchApi.response.encode(writer, value as never, version);
      expect(writer.files.map((file) => file.pin)).toEqual([7, 9]);
      expect(writer.totalBytes).toBe(writer.length + 1300);

      // Filled in, it is what bytes in place of the ranges would have given.
      const whole: number[] = [];
      let from = 0;
      writer.files.forEach((file, i) => {
        const to = writer.filesAt[i] as number;
        whole.push(
          ...writer.bytes.subarray(from, to),
          ...new Uint8Array(file.length).fill(file.pin),
        );
        from = to;
      });
      whole.push(...writer.bytes.subarray(from, writer.length));
      const inMemory = new Writer(8);
      inMemory.int32(99);
      const same = partitions.map((row) => ({
        ...row,
        records: rangeBytes((row as { records: { pin: number; length: number } }).records),
      }));
      fetchApi.response.encode(
        inMemory,
        { responses: [{ ...topic, partitions: same }] } as never,
        version,
      );
      expect(inMemory.toBytes()).toEqual(Uint8Array.from(whole));
    }
  });

  test("a span cannot be encoded, and a failed message takes its file ranges back", () => {
    const schema = struct({ first: records, second: f(records, { nullable: true }) });
    const both = defineCodec(schema, { name: "Both", versions: [0, 0] });
    const writer = new Writer(8);
    const range = { pin: 1, position: 0, length: 10 };
    both.encode(writer, { first: range, second: null }, 0);
    const second = { offset: 0, length: 3 };
    expect(() => both.encode(writer, { first: range, second }, 0)).toThrow(
      "Both v0, second: expected bytes or a file range, got Object",
    );
    expect(writer.files).toEqual([range]);
    expect(writer.totalBytes).toBe(8 + 10);
  });
});

const rangeBytes = (range: { pin: number; length: number }): Uint8Array =>
  new Uint8Array(range.length).fill(range.pin);

describe("compiled code", () => {
  const target = { name: "Produce", version: 9, flexible: true };

  test("has one bounds check per run of fields of fixed width", () => {
    const row = struct({ a: int32, b: int64, c: int16, name: string, d: int8, e: uuid });
    const text = decoderText(row.node, target);
    expect(text.match(/r\.take\(\d+\)/g)).toEqual(["r.take(14)", "r.take(17)"]);
    expect(encoderText(row.node, target).match(/w\.reserve\(\d+\)/g)).toEqual([
      "w.reserve(14)",
      "w.reserve(17)",
    ]);
  });

  test("no array has elements that take no bytes: their count would be unbounded", () => {
    const check = (type: TypeNode, when: typeof target): void => {
      if (type.kind === "array") {
        expect({ ...when, least: leastBytes(type.element, when) > 0 }).toEqual({
          ...when,
          least: true,
        });
        check(type.element, when);
      }
      if (type.kind !== "struct") return;
      for (const field of type.fields) if (isPresent(field, when)) check(field.type, when);
    };
    for (const message of allCodecs) {
      for (const version of versionsOf(message)) {
        const flexible = version >= message.flexibleFrom;
        check(message.schema, { name: message.name, version, flexible });
      }
    }
  });
});

describe("the schema language", () => {
  test("refuses what it cannot say", () => {
    expect(() => struct({ "bad name": int32 })).toThrow(TypeError);
    expect(() => struct({ a: f(int32, { tag: 31 }) })).toThrow(TypeError);
    expect(() => struct({ a: f(records, { tag: 0 }) })).toThrow(TypeError);
    expect(() => struct({ a: f(inner, { tag: 0, nullable: true }) })).toThrow(TypeError);
    expect(() => struct({ a: f(string, { default: null }) })).toThrow(TypeError);
  });

  test("field names may be words of the language", () => {
    const words = struct({ class: int16, function: array(uint16), r: uuid, view: int8, p: int64 });
    const reserved = defineCodec(words, { name: "Words", versions: [0, 0], flexible: 0 });
    const value = {
      class: 1,
      function: [2, 65_535],
      r: "AAECAwQFBgcICQoLDA0ODw" as Uuid,
      view: -3,
      p: 4,
    };
    const writer = new Writer(8);
    reserved.encode(writer, value, 0);
    expect(reserved.decode(new Reader(writer.toBytes()), 0)).toEqual(value);
  });
});
