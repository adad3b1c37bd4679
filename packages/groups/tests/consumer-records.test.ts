import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CoordinatorRecord, Uuid } from "@mantou/base";
import type { TypeNode } from "@mantou/protocol";
import * as records from "../src/records/consumer-records.ts";
import { recordTypeOf } from "../src/records/record-key.ts";

const topicId = "AAECAwQFBgcICQoLDA0ODw" as Uuid;
const member = {
  instanceId: null,
  rackId: "r",
  clientId: "c",
  clientHost: "/h",
  subscribedTopicNames: ["t", "u"],
  subscribedTopicRegex: "",
  rebalanceTimeoutMs: 300_000,
  serverAssignor: "uniform",
};
const classicMemberMetadata = {
  sessionTimeoutMs: 45_000,
  supportedProtocols: [{ name: "range", metadata: new Uint8Array([1, 2, 3]) }],
};
const of = (...partitions: number[]) => [{ topicId, partitions }];

// As Apache Kafka 4.3.0 writes the same records.
const golden: readonly (readonly [string, CoordinatorRecord, string, string])[] = [
  [
    "group epoch",
    records.groupEpochRecord("g", { epoch: 7, metadataHash: 123_456_789_012 }),
    "0003000167",
    "0000000000070100080000001cbe991a14",
  ],
  ["no hash", records.groupEpochRecord("g", { epoch: 7 }), "0003000167", "00000000000700"],
  [
    "member",
    records.memberMetadataRecord("g", "m", member),
    "000500016700016d",
    "00000002720263032f68030274027501000493e008756e69666f726d00",
  ],
  [
    "classic member",
    records.memberMetadataRecord("g", "m", { ...member, classicMemberMetadata }),
    "000500016700016d",
    "00000002720263032f68030274027501000493e008756e69666f726d010012010000afc8020672616e6765040102030000",
  ],
  [
    "target epoch",
    records.targetMetadataRecord("g", {
      assignmentEpoch: 9,
      assignmentTimestamp: 1_700_000_000_000,
    }),
    "0006000167",
    "0000000000090100080000018bcfe56800",
  ],
  [
    "target of a member",
    records.targetMemberRecord("g", "m", { topicPartitions: of(0, 5) }),
    "000700016700016d",
    "000002000102030405060708090a0b0c0d0e0f0300000000000000050000",
  ],
  [
    "current assignment",
    records.currentAssignmentRecord("g", "m", {
      memberEpoch: 4,
      previousMemberEpoch: 3,
      state: 2,
      assignedPartitions: of(1),
      partitionsPendingRevocation: of(2, 3),
    }),
    "000800016700016d",
    "000000000004000000030202000102030405060708090a0b0c0d0e0f0200000001000200010203040506" +
      "0708090a0b0c0d0e0f0300000002000000030000",
  ],
  [
    "current assignment with epochs",
    records.currentAssignmentRecord("g", "m", {
      memberEpoch: 4,
      previousMemberEpoch: 3,
      state: 1,
      assignedPartitions: [{ topicId, partitions: [1, 4], assignmentEpochs: [2, 4] }],
      partitionsPendingRevocation: [{ topicId, partitions: [2], assignmentEpochs: [3] }],
    }),
    "000800016700016d",
    "000000000004000000030102000102030405060708090a0b0c0d0e0f03000000010000000401000903000000020000" +
      "000402000102030405060708090a0b0c0d0e0f0200000002010005020000000300",
  ],
  [
    "resolved pattern",
    records.regularExpressionRecord("g", "a.*", {
      topics: ["abc"],
      version: 12,
      timestamp: 1_700_000_000_000,
    }),
    "00100001670003612e2a",
    "00000204616263000000000000000c0000018bcfe5680000",
  ],
];

test.each(golden)("%s has the bytes that Kafka gives it", (_, record, key, value) => {
  expect(Buffer.from(record.key).toString("hex")).toBe(key);
  expect(Buffer.from(record.value as Uint8Array).toString("hex")).toBe(value);
  const decoded = records.decodeConsumerRecord(recordTypeOf(record.key), record);
  expect(decoded?.groupId).toBe("g");
  expect(decoded?.value).toMatchObject({});
});

test("what is decoded encodes to the same bytes", () => {
  const decoded = golden.map(([, record]) => {
    return records.decodeConsumerRecord(recordTypeOf(record.key), record);
  });
  expect(decoded.map((record) => record?.kind)).toMatchInlineSnapshot(`
    [
      "groupEpoch",
      "groupEpoch",
      "memberMetadata",
      "memberMetadata",
      "targetMetadata",
      "targetMember",
      "current",
      "current",
      "regex",
    ]
  `);
  const again = decoded[3];
  if (again?.kind !== "memberMetadata" || again.value === null) throw new Error("not a member");
  expect(records.memberMetadataRecord("g", "m", again.value).value).toEqual(
    (golden[3] as (typeof golden)[number])[1].value,
  );
});

test("tombstones and types of others", () => {
  const tombstone = records.currentAssignmentRecord("g", "m", null);
  expect(tombstone.value).toBeNull();
  expect(records.decodeConsumerRecord(8, tombstone)).toEqual({
    kind: "current",
    groupId: "g",
    memberId: "m",
    value: null,
  });
  const obsolete = { key: new Uint8Array([0, 4, 0, 1, 0x67]), value: new Uint8Array([0, 0, 1, 0]) };
  expect(records.decodeConsumerRecord(4, obsolete)).toBeNull();
  expect(records.decodeConsumerRecord(10, obsolete)).toBeNull();
});

interface SpecField {
  readonly name: string;
  readonly type: string;
  readonly tag?: number;
  readonly nullableVersions?: string;
  readonly fields?: readonly SpecField[];
}

const specFolder = join(
  import.meta.dir,
  "../../../../shared/spec/kafka-messages/group-coordinator",
);
const hasSpec = existsSync(specFolder);

function ofSpec(
  fields: readonly SpecField[],
  shared: ReadonlyMap<string, readonly SpecField[]>,
): unknown {
  return fields.map((field) => {
    const element = field.type.replace("[]", "");
    const inner = field.fields ?? shared.get(element);
    return [
      field.name.charAt(0).toLowerCase() + field.name.slice(1),
      field.type.startsWith("[]"),
      inner === undefined ? element : ofSpec(inner, shared),
      field.tag ?? -1,
      field.nullableVersions !== undefined,
    ];
  });
}

function ofSchema(node: TypeNode): unknown {
  if (node.kind !== "struct") return node.kind;
  return node.fields.map((field) => {
    const isArray = field.type.kind === "array";
    const element = field.type.kind === "array" ? field.type.element : field.type;
    const nullable = field.nullableSince !== Infinity;
    return [field.name, isArray, ofSchema(element), field.tag, nullable];
  });
}

// The definitions are not part of the project; where they lie beside it they are compared.
test.skipIf(!hasSpec)("schemas agree with Kafka's definitions", () => {
  for (const [name, codecs] of Object.entries(records.consumerCodecs)) {
    for (const [suffix, codec] of [
      ["Key", codecs.key] as const,
      ["Value", codecs.value] as const,
    ]) {
      const text = readFileSync(join(specFolder, `ConsumerGroup${name}${suffix}.json`), "utf8");
      const spec = JSON.parse(text.replace(/^\s*\/\/.*$/gm, "")) as {
        readonly fields: readonly SpecField[];
        readonly commonStructs?: readonly SpecField[];
      };
      const shared = new Map(
        (spec.commonStructs ?? []).map((s) => [s.name, s.fields ?? []] as const),
      );
      expect([name, suffix, ofSchema(codec.schema)]).toEqual([
        name,
        suffix,
        ofSpec(spec.fields, shared),
      ]);
    }
  }
});
