import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Uuid } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import type { Codec, TypeNode } from "@mantou/protocol";
import { DecodeError } from "@mantou/protocol";
import {
  decodeGroupMetadata,
  decodeGroupMetadataKey,
  groupMetadataKeyCodec,
  groupMetadataRecord,
  groupMetadataTombstone,
  groupMetadataValueCodec,
} from "../src/records/group-metadata.ts";
import {
  decodeOffsetCommitKey,
  decodeOffsetCommitValue,
  offsetCommitKeyCodec,
  offsetCommitRecord,
  offsetCommitValueCodec,
  offsetTombstone,
} from "../src/records/offset-commit.ts";
import { recordTypeOf } from "../src/records/record-key.ts";

const hex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

const topicId = "AAECAwQFBgcICQoLDA0ODw" as Uuid;
const committed = {
  offset: 42,
  leaderEpoch: 5,
  metadata: "m",
  commitTimestampMs: 1_700_000_000_000,
  expireTimestampMs: -1,
  topicId: ZERO_UUID,
};
const expiring = { ...committed, leaderEpoch: -1, expireTimestampMs: 1_700_000_001_000 };

const member = {
  memberId: "c-1",
  groupInstanceId: "i",
  clientId: "c",
  clientHost: "/h",
  rebalanceTimeout: 60_000,
  sessionTimeout: 10_000,
  subscription: new Uint8Array([1, 2]),
  assignment: new Uint8Array([3]),
};
const metadata = {
  protocolType: "consumer",
  generation: 7,
  protocol: "range",
  leader: "c-1",
  currentStateTimestamp: 1_700_000_000_000,
  members: [member],
};

// All bytes are Apache Kafka 4.3.0's for the same records.
describe("offset commits", () => {
  const key = "000100016700017400000003";
  const values: readonly (readonly [string, typeof committed])[] = [
    ["0000000000000000002a00016d0000018bcfe56800", { ...committed, leaderEpoch: -1 }],
    ["0001000000000000002a00016d0000018bcfe568000000018bcfe56be8", expiring],
    ["0002000000000000002a00016d0000018bcfe56800", { ...committed, leaderEpoch: -1 }],
    ["0003000000000000002a0000000500016d0000018bcfe56800", committed],
    [
      "0004000000000000002a00000005026d0000018bcfe56800010010000102030405060708090a0b0c0d0e0f",
      { ...committed, topicId },
    ],
  ];

  test("are written as Kafka writes them", () => {
    const newest = offsetCommitRecord("g", "t", 3, { ...committed, topicId });
    expect(hex(newest.key)).toBe(key);
    expect(hex(newest.value)).toBe((values[4] as (typeof values)[number])[0]);
    const withExpiry = offsetCommitRecord("g", "t", 3, expiring);
    expect(hex(withExpiry.value)).toBe((values[1] as (typeof values)[number])[0]);
    expect(offsetTombstone("g", "t", 3)).toEqual({ key: newest.key, value: null });
  });

  test.each(values)("version %#", (text, value) => {
    expect(decodeOffsetCommitValue(bytes(text))).toEqual(value);
  });

  test("have keys of two types", () => {
    expect(recordTypeOf(bytes(key))).toBe(1);
    expect(decodeOffsetCommitKey(bytes(key))).toEqual({ group: "g", topic: "t", partition: 3 });
    expect(recordTypeOf(bytes(`0000${key.slice(4)}`))).toBe(0);
  });

  test("that cannot be read are refused", () => {
    for (const text of ["", "00", "0005", "ffff", "0003000000000000002a", "00010001"]) {
      expect(() => decodeOffsetCommitValue(bytes(text))).toThrow(DecodeError);
    }
    expect(recordTypeOf(bytes("00"))).toBe(-1);
    expect(recordTypeOf(bytes("ffff"))).toBe(-1);
  });
});

describe("group metadata", () => {
  const head = "08636f6e73756d6572000000070005";
  const tail = "000027100000000201020000000103";
  const versions = [
    `000000${head}72616e67650003632d31000000010003632d3100016300022f68${tail}`,
    `000100${head}72616e67650003632d31000000010003632d3100016300022f680000ea60${tail}`,
    `000200${head}72616e67650003632d310000018bcfe56800000000010003632d3100016300022f680000ea60${tail}`,
    "00030008636f6e73756d657200000007000572616e67650003632d310000018bcfe56800000000010003632d31" +
      `00016900016300022f680000ea60${tail}`,
    "000409636f6e73756d6572000000070672616e676504632d310000018bcfe568000204632d3102690263032f68" +
      "0000ea600000271003010202030000",
  ];

  test("is written as Kafka writes it", () => {
    const record = groupMetadataRecord("g", metadata);
    expect(hex(record.key)).toBe("0002000167");
    expect(hex(record.value)).toBe(versions[3] as string);
    expect(decodeGroupMetadataKey(record.key)).toBe("g");
    expect(groupMetadataTombstone("g")).toEqual({ key: record.key, value: null });
  });

  test.each(versions.map((text, version) => [version, text] as const))("version %d", (v, text) => {
    expect(decodeGroupMetadata(bytes(text))).toEqual({
      ...metadata,
      currentStateTimestamp: v >= 2 ? metadata.currentStateTimestamp : -1,
      members: [
        {
          ...member,
          groupInstanceId: v >= 3 ? "i" : null,
          rebalanceTimeout: v >= 1 ? 60_000 : -1,
        },
      ],
    });
  });
});

interface SpecField {
  readonly name: string;
  readonly type: string;
  readonly tag?: number;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly fields?: readonly SpecField[];
}

const specFolder = join(
  import.meta.dir,
  "../../../../shared/spec/kafka-messages/group-coordinator",
);

function ofSpec(
  fields: readonly SpecField[],
  shared: ReadonlyMap<string, readonly SpecField[]>,
): unknown {
  return fields.map((field) => {
    const element = field.type.replace("[]", "");
    const inner = field.fields ?? shared.get(element);
    return {
      name: field.name,
      type: inner === undefined ? element : ofSpec(inner, shared),
      isArray: field.type.startsWith("[]"),
      since: Number((field.versions ?? "0").replace(/\D.*$/, "")),
      tag: field.tag ?? -1,
      nullable: field.nullableVersions !== undefined,
    };
  });
}

function ofSchema(node: TypeNode): unknown {
  if (node.kind !== "struct") return node.kind;
  return node.fields.map((field) => {
    const element = field.type.kind === "array" ? field.type.element : field.type;
    return {
      name: field.name,
      type: ofSchema(element),
      isArray: field.type.kind === "array",
      since: field.since,
      tag: field.tag,
      nullable: field.nullableSince !== Infinity,
    };
  });
}

const compared: readonly (readonly [string, Codec<unknown, never>])[] = [
  ["OffsetCommitKey", offsetCommitKeyCodec],
  ["OffsetCommitValue", offsetCommitValueCodec],
  ["GroupMetadataKey", groupMetadataKeyCodec],
  ["GroupMetadataValue", groupMetadataValueCodec],
];

// The definitions are not part of the project; where they lie beside it they are compared.
test.skipIf(!existsSync(specFolder)).each(compared)("%s agrees with Kafka's", (name, codec) => {
  const text = readFileSync(join(specFolder, `${name}.json`), "utf8");
  const spec = JSON.parse(text.replace(/^\s*\/\/.*$/gm, "")) as {
    readonly validVersions: string;
    readonly flexibleVersions: string;
    readonly fields: readonly SpecField[];
    readonly commonStructs?: readonly SpecField[];
  };
  const shared = new Map((spec.commonStructs ?? []).map((s) => [s.name, s.fields ?? []]));
  expect(ofSchema(codec.schema)).toEqual(ofSpec(spec.fields, shared));
  const last = Number(spec.validVersions.replace(/^.*-/, ""));
  expect([codec.minVersion, codec.maxVersion]).toEqual([0, last]);
  const flexible = Number.parseInt(spec.flexibleVersions, 10);
  expect(codec.flexibleFrom).toBe(Number.isNaN(flexible) ? Infinity : flexible);
});
