import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  type BatchOptions,
  BatchField,
  CompressionType,
  type RecordInput,
  crc32c,
  encodeBatch,
} from "@mantou/protocol";
import { InspectCode, InspectFlag } from "../../src/index.ts";
import { type World, engines, gzipOnly } from "./engines.ts";
import { LogDriver } from "./log-driver.ts";

const NO_RECORD = 0xffff_ffff;
const codeNames = new Map(
  Object.entries(InspectCode).map(([name, value]) => [value as number, name]),
);

const plainRecords: readonly RecordInput[] = [
  { key: Uint8Array.of(1), value: Uint8Array.of(2, 3), timestamp: 1_000 },
  {
    key: null,
    value: null,
    timestamp: 900,
    headers: [
      { key: "h", value: Uint8Array.of(9) },
      { key: "n", value: null },
    ],
  },
  { key: Uint8Array.of(4), value: new Uint8Array(300), timestamp: 1_100 },
];

/** A batch, changed by hand and given a CRC that fits again. */
function changed(change: (view: DataView, bytes: Uint8Array) => void, options: BatchOptions = {}) {
  const bytes = encodeBatch(plainRecords, options).slice();
  const view = new DataView(bytes.buffer);
  change(view, bytes);
  view.setUint32(BatchField.crc, crc32c(bytes, BatchField.attributes));
  return bytes;
}

const setAttributes = (bits: number) =>
  changed((view) => view.setInt16(BatchField.attributes, bits));

/** A batch whose payload is given, whatever its codec bits say. */
function withPayload(codec: number, payload: Uint8Array): Uint8Array {
  const header = encodeBatch(plainRecords).slice(0, 61);
  const bytes = new Uint8Array(Buffer.concat([header, payload]));
  const view = new DataView(bytes.buffer);
  view.setInt16(BatchField.attributes, codec);
  view.setInt32(BatchField.batchLength, bytes.length - 12);
  view.setUint32(BatchField.crc, crc32c(bytes, BatchField.attributes));
  return bytes;
}

const gzipped = encodeBatch(plainRecords, { codec: CompressionType.GZIP, codecs: gzipOnly });
const good = encodeBatch(plainRecords);
const truncatedAt = (length: number) => good.slice(0, length);
/** Frame descriptors: version 1, independent blocks, 64 KiB; the last byte is their checksum. */
const lz4Good = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0);
const lz4Dependent = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0, 0, 0, 0, 0);
/** One raw block of one byte; its window is its content. */
const zstdGood = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0x00, 0x00, 0x61);
const snappyGood = Uint8Array.of(0x03, 0x08, 0x61, 0x62, 0x63);

const { VALIDATE_RECORDS, KEYS_REQUIRED } = InspectFlag;

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly code: keyof typeof InspectCode;
  readonly flags?: number;
  readonly recordIndex?: number;
  readonly inflatedBytesMax?: number;
}

const cases: readonly Case[] = [
  { name: "a plain batch", bytes: good, code: "OK", flags: VALIDATE_RECORDS },
  { name: "nothing", bytes: truncatedAt(0), code: "TRUNCATED" },
  { name: "half a header", bytes: truncatedAt(30), code: "TRUNCATED" },
  { name: "not even a magic", bytes: truncatedAt(16), code: "TRUNCATED" },
  { name: "a header alone", bytes: truncatedAt(61), code: "TRUNCATED" },
  { name: "a batch without its last byte", bytes: truncatedAt(good.length - 1), code: "TRUNCATED" },
  {
    name: "a length field below the header",
    bytes: changed((view) => view.setInt32(BatchField.batchLength, 48)),
    code: "TRUNCATED",
  },
  {
    name: "a negative length field",
    bytes: changed((view) => view.setInt32(BatchField.batchLength, -1)),
    code: "TRUNCATED",
  },
  { name: "magic 1", bytes: changed((view) => view.setInt8(BatchField.magic, 1)), code: "MAGIC" },
  { name: "magic 3", bytes: changed((view) => view.setInt8(BatchField.magic, 3)), code: "MAGIC" },
  {
    name: "two batches",
    bytes: new Uint8Array(Buffer.concat([good, good])),
    code: "TRAILING",
  },
  {
    name: "a flipped bit",
    bytes: good.map((byte, index) => (index === good.length - 5 ? byte ^ 1 : byte)),
    code: "CRC",
  },
  { name: "a control batch", bytes: setAttributes(0x20), code: "ATTRIBUTES" },
  { name: "a delete horizon", bytes: setAttributes(0x40), code: "ATTRIBUTES" },
  { name: "a transaction of nobody", bytes: setAttributes(0x10), code: "ATTRIBUTES" },
  { name: "LogAppendTime", bytes: setAttributes(0x08), code: "TIMESTAMP_TYPE" },
  {
    name: "a producer with a sequence",
    bytes: encodeBatch(plainRecords, { producerId: 5, producerEpoch: 0, baseSequence: 0 }),
    code: "OK",
  },
  {
    name: "a producer without a sequence",
    bytes: encodeBatch(plainRecords, { producerId: 5, producerEpoch: 0 }),
    code: "COUNT",
  },
  {
    name: "a transaction",
    bytes: encodeBatch(plainRecords, {
      producerId: 5,
      producerEpoch: 0,
      baseSequence: 0,
      transactional: true,
    }),
    code: "OK",
  },
  {
    name: "no records",
    bytes: changed((view) => view.setInt32(BatchField.recordsCount, 0)),
    code: "COUNT",
  },
  {
    name: "a last offset delta that disagrees",
    bytes: changed((view) => view.setInt32(BatchField.lastOffsetDelta, 7)),
    code: "COUNT",
  },
  {
    name: "a base offset",
    bytes: encodeBatch(plainRecords, { baseOffset: 1 }),
    code: "COUNT",
  },
  {
    name: "more records than are there",
    bytes: changed((view) => {
      view.setInt32(BatchField.recordsCount, 4);
      view.setInt32(BatchField.lastOffsetDelta, 3);
    }),
    code: "RECORDS",
    recordIndex: 3,
  },
  {
    name: "fewer records than are there",
    bytes: changed((view) => {
      view.setInt32(BatchField.recordsCount, 2);
      view.setInt32(BatchField.lastOffsetDelta, 1);
    }),
    code: "RECORDS",
  },
  {
    name: "a record with a length that lies",
    bytes: changed((_view, bytes) => bytes.fill(0x7e, 61, 62)),
    code: "RECORDS",
    recordIndex: 0,
  },
  {
    name: "a key that is missing",
    bytes: good,
    code: "KEY_MISSING",
    flags: KEYS_REQUIRED,
    recordIndex: 1,
  },
  { name: "gzip", bytes: gzipped, code: "OK" },
  { name: "gzip, walked", bytes: gzipped, code: "OK", flags: VALIDATE_RECORDS },
  {
    name: "gzip, a key that is missing",
    bytes: gzipped,
    code: "KEY_MISSING",
    flags: KEYS_REQUIRED,
    recordIndex: 1,
  },
  {
    name: "gzip, larger than allowed",
    bytes: gzipped,
    code: "INFLATED_SIZE",
    flags: VALIDATE_RECORDS,
    inflatedBytesMax: 100,
  },
  { name: "gzip that is none", bytes: withPayload(1, new Uint8Array(40)), code: "COMPRESSION" },
  { name: "snappy", bytes: withPayload(2, snappyGood), code: "OK" },
  {
    name: "snappy with an absurd size",
    bytes: withPayload(2, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00)),
    code: "COMPRESSION",
  },
  { name: "lz4", bytes: withPayload(3, lz4Good), code: "OK" },
  { name: "lz4, dependent blocks", bytes: withPayload(3, lz4Dependent), code: "COMPRESSION" },
  {
    name: "lz4, a wrong descriptor checksum",
    bytes: withPayload(
      3,
      lz4Good.map((byte, index) => (index === 6 ? byte ^ 1 : byte)),
    ),
    code: "COMPRESSION",
  },
  { name: "zstd", bytes: withPayload(4, zstdGood), code: "OK" },
  { name: "zstd, cut off", bytes: withPayload(4, zstdGood.slice(0, 8)), code: "COMPRESSION" },
  { name: "codec 5", bytes: setAttributes(5), code: "COMPRESSION" },
];

for (const engine of engines) {
  const skipped = engine.unavailable === null ? "" : ` (skipped: ${engine.unavailable})`;
  describe.skipIf(engine.unavailable !== null)(`inspect, ${engine.name}${skipped}`, () => {
    let world: World;
    let driver: LogDriver;

    beforeAll(() => {
      world = engine.world();
      driver = new LogDriver(world.open());
    });

    afterAll(async () => {
      await driver.io.close();
      world.destroy();
    });

    test.each(cases.map((each) => [each.name, each] as const))("%s", (_name, each) => {
      const found = driver.inspect(each.bytes, each.flags ?? 0, each.inflatedBytesMax);
      expect(codeNames.get(found.code)).toBe(each.code);
      if (each.recordIndex !== undefined || each.code === "OK") {
        expect(found.recordIndex).toBe(each.recordIndex ?? NO_RECORD);
      }
    });

    test("a maxTimestamp that is not the records' is put right", () => {
      const wrong = changed((view) => view.setBigInt64(BatchField.maxTimestamp, 9_999n));
      const found = driver.inspect(wrong);
      expect(codeNames.get(found.code)).toBe("OK");
      expect(Buffer.compare(found.bytes, good)).toBe(0);
    });
  });
}

describe.skipIf(engines.some((engine) => engine.unavailable !== null))("inspect, compared", () => {
  const worlds = engines.map((engine) => engine.world());
  const drivers: LogDriver[] = [];

  beforeAll(() => {
    for (const world of worlds) drivers.push(new LogDriver(world.open()));
  });

  afterAll(async () => {
    for (const driver of drivers) await driver.io.close();
    for (const world of worlds) world.destroy();
  });

  test("damaged batches get the same verdict", () => {
    const seed = Number(process.env["MANTOU_SEED"] ?? 20_251);
    const rounds = process.env["MANTOU_LONG"] === "1" ? 200_000 : 5_000;
    const prng = new Prng(seed);
    const sources = [good, gzipped, encodeBatch(plainRecords.slice(0, 1))];
    for (let round = 0; round < rounds; round++) {
      const source = prng.pick(sources);
      // The compressed bytes stay whole: what a damaged stream inflates to is its library's affair.
      const end = source === gzipped ? 61 : source.length;
      const bytes = source.slice();
      for (let count = prng.between(1, 3); count > 0; count--) {
        bytes[prng.between(BatchField.attributes, end - 1)] = prng.below(256);
      }
      if (!prng.chance(1, 20)) {
        new DataView(bytes.buffer).setUint32(BatchField.crc, crc32c(bytes, BatchField.attributes));
      }
      const codec = new DataView(bytes.buffer).getInt16(BatchField.attributes) & 7;
      // Damaged bytes as another codec's payload are judged by framing, not compared here.
      if (codec > 1 && codec < 5) continue;
      const flags = prng.below(4);
      const [portable, native] = drivers.map((driver) => driver.inspect(bytes, flags));
      if (
        portable?.code !== native?.code ||
        portable?.recordIndex !== native?.recordIndex ||
        Buffer.compare(portable?.bytes as Uint8Array, native?.bytes as Uint8Array) !== 0
      ) {
        const shown = [portable, native].map((found) => [
          codeNames.get(found?.code as number),
          found?.recordIndex,
          Buffer.from(found?.bytes ?? []).toString("hex"),
        ]);
        const input = Buffer.from(bytes).toString("hex");
        throw new Error(`seed ${seed}, round ${round}, ${input}: ${JSON.stringify(shown)}`);
      }
    }
  });
});
