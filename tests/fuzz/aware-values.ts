import type { Prng } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import type { FieldNode, TypeNode } from "@mantou/protocol";
import { uuidFromBytes } from "@mantou/protocol";
import type { At, Value } from "../../packages/protocol/tests/random-value.ts";
import { exists, isNullable } from "../../packages/protocol/tests/random-value.ts";
import type { BatchMaker } from "./batch-maker.ts";
import type { KnownTopic, World } from "./world.ts";

const INT32_MAX = 0x7fff_ffff;
const BIG = Number.MAX_SAFE_INTEGER;

/** Settings, each with values that it takes or is near to taking. */
const CONFIGS: Readonly<Record<string, readonly string[]>> = {
  "retention.ms": ["-1", "9223372036854775807", "-2"],
  "retention.bytes": ["-1", "9223372036854775807"],
  "segment.bytes": ["1048576", "2000000", "1"],
  "segment.ms": ["600000", "0"],
  "cleanup.policy": ["delete", "compact", "compact,delete", ""],
  "compression.type": ["producer", "zstd", "none"],
  "max.message.bytes": ["1048588", "100", "0", "-1"],
  "message.timestamp.type": ["CreateTime", "LogAppendTime"],
  "message.timestamp.before.max.ms": ["1000", "9223372036854775807"],
  "min.insync.replicas": ["1", "2", "0"],
  // Never to page-cache and back: the oracle asks fsync topics for durable answers.
  "mantou.durability": ["fsync", "maybe"],
  "mantou.validate.records": ["true", "false"],
  "index.interval.bytes": ["0", "4096"],
  "num.partitions": ["1", "3"],
  "fetch.max.bytes": ["1024", "57671680", "0"],
  "auto.create.topics.enable": ["true", "false"],
  "no.such.config": ["1"],
  "": [""],
};
const CONFIG_NAMES = Object.keys(CONFIGS);
const ODD_CONFIG_VALUES = ["99999999999999999999", "1e3", "0x10", " 1", "many", "", "1,2", "[]"];

/** What a field of this name usually holds; edges come in beside it. */
const NUMBERS: Readonly<Record<string, readonly number[]>> = {
  acks: [-1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 0, 2],
  timeoutMs: [0, 1, 50, 30_000, 30_000, INT32_MAX, -1],
  maxWaitMs: [0, 0, 1, 50, 500, 30_000, INT32_MAX, -1],
  minBytes: [0, 0, 1, 1, 100, 1_000_000, INT32_MAX, -1],
  maxBytes: [0, 1, 100, 1_048_576, INT32_MAX, -1],
  partitionMaxBytes: [0, 1, 100, 1_048_576, INT32_MAX, -1],
  partition: [0, 0, 0, 1, 1, 2, 7],
  partitionIndex: [0, 0, 0, 1, 1, 2, 7],
  index: [0, 0, 0, 1, 1, 2, 7],
  partitions: [0, 0, 1, 2],
  partitionIndexes: [0, 0, 1, 2],
  isolationLevel: [0, 0, 1, 2, -1],
  sessionEpoch: [-1, -1, 0, 1, 2],
  replicaId: [-1, -1, -1, -1, -1, -1, -2, 0, 1],
  replicaEpoch: [-1],
  currentLeaderEpoch: [-1, -1, 0, 1, 2],
  leaderEpoch: [-1, 0, 1, 2],
  lastFetchedEpoch: [-1, -1, -1, 0, 1],
  fetchOffset: [0, 0, 1, 2, 5, 10, 20, 50, -1],
  offset: [0, 1, 2, -1, -2],
  timestamp: [-1, -2, -3, -4, -5, -6, 0, 1_700_000_000_000],
  numPartitions: [-1, 1, 1, 2, 3, 0, -2, 51, 201, 1_000_000],
  count: [1, 2, 3, 4, 5, 0, -1, 51, 1_000_000],
  replicationFactor: [-1, 1, 1, 2, 0],
  brokerIds: [1, 1, 1, 2, -1],
  replicas: [1, 1, 2],
  resourceType: [2, 2, 2, 4, 4, 8, 16, 32, 0, 1],
  configOperation: [0, 0, 1, 2, 3, 4, -1],
  transactionTimeoutMs: [0, 1000, 60_000, -1],
  producerId: [-1, -1, 0, 1, 1000],
  producerEpoch: [-1, -1, 0, 1],
  endpointType: [1, 1, 2, 0],
  responsePartitionLimit: [2000, 1, 0, -1],
};

const TOPIC_FIELDS = new Set(["name", "topic", "topicName", "topicNames", "resourceName"]);

/** Values for a request's fields: mostly such that the request gets far. */
export class AwareValues {
  /** The topic and partition that the fields around speak of. */
  private topic: KnownTopic | undefined;
  private partition = 0;
  private config = "";
  private hasLongList = false;

  constructor(
    private readonly prng: Prng,
    private readonly world: World,
    private readonly batches: BatchMaker,
  ) {}

  /** A whole request. */
  request(type: TypeNode, when: At): Value {
    this.hasLongList = false;
    return this.value(type, when, "", "") as Value;
  }

  private value(type: TypeNode, when: At, name: string, parent: string): unknown {
    const { prng } = this;
    if (type.kind === "array") return this.list(type.element, when, name);
    if (type.kind !== "struct") return this.scalar(type.kind, name, parent);
    const value: Value = {};
    for (const field of type.fields) {
      if (!exists(field, when)) continue;
      if (field.default !== undefined && prng.chance(1, 6)) continue;
      value[field.name] = this.field(field, when, name);
    }
    return value;
  }

  private field(field: FieldNode, when: At, parent: string): unknown {
    if (isNullable(field, when) && this.prng.chance(1, 6)) return null;
    return this.value(field.type, when, field.name, parent);
  }

  private list(element: TypeNode, when: At, name: string): unknown[] {
    const { prng } = this;
    // One long list in a request is enough: two in each other would be megabytes.
    const isLong = !this.hasLongList && prng.chance(1, 60);
    const length = isLong ? prng.between(10, 200) : prng.pick([0, 1, 1, 1, 2, 3]);
    this.hasLongList ||= isLong;
    const items: unknown[] = [];
    while (items.length < length) {
      // Twice the same is what no client should ask.
      const again = items.length > 0 && prng.chance(1, 8);
      items.push(again ? items[0] : this.value(element, when, name, name));
    }
    return items;
  }

  private scalar(kind: TypeNode["kind"], name: string, parent: string): unknown {
    const { prng, world } = this;
    switch (kind) {
      case "bool":
        return prng.chance(1, 2);
      case "uuid":
        if (prng.chance(1, 10)) return ZERO_UUID;
        if (prng.chance(1, 10)) return uuidFromBytes(Uint8Array.from({ length: 16 }, byte(prng)));
        this.topic = world.topic();
        return this.topic?.id ?? ZERO_UUID;
      case "string":
        return this.text(name, parent);
      case "bytes":
        return Uint8Array.from({ length: prng.below(20) }, byte(prng));
      case "records":
        return this.batches.records(this.topic?.name ?? "", this.partition);
      case "float64":
        return prng.pick([0, 1.5, -1e300, Infinity]);
      default:
        return this.number(kind, name);
    }
  }

  private text(name: string, parent: string): string {
    const { prng, world } = this;
    if (parent === "configs" || name === "configNames" || name === "configurationKeys") {
      if (name === "value") {
        return prng.pick(prng.chance(1, 6) ? ODD_CONFIG_VALUES : (CONFIGS[this.config] ?? [""]));
      }
      this.config = prng.pick(CONFIG_NAMES);
      return this.config;
    }
    if (name === "resourceName" && prng.chance(1, 3)) return prng.pick(["1", "", "2", "x"]);
    if (TOPIC_FIELDS.has(name)) {
      this.topic = world.topic();
      return prng.chance(4, 5) && this.topic !== undefined ? this.topic.name : world.topicName();
    }
    if (name === "transactionalId") return prng.pick(["", "tx", "t".repeat(1000)]);
    return prng.pick(["", "a", "orders", "grüße", "漢字😀", "x".repeat(300), "a b\n"]);
  }

  private number(kind: TypeNode["kind"], name: string): number {
    const { prng } = this;
    const usual = name === "sessionId" ? this.sessions() : NUMBERS[name];
    const number = usual !== undefined && prng.chance(9, 10) ? prng.pick(usual) : this.edge(kind);
    if (name === "index" || name === "partition" || name === "partitionIndex") {
      this.partition = number;
    }
    return clamp(kind, number);
  }

  private sessions(): readonly number[] {
    return [0, 0, ...this.world.sessions.map((session) => session.id)];
  }

  private edge(kind: TypeNode["kind"]): number {
    const { prng } = this;
    if (kind === "int64") return prng.pick([0, -1, 1, 2 ** 31, 2 ** 32, BIG, -BIG]);
    return prng.pick([0, -1, 1, -2, 127, 0x7fff, INT32_MAX, -INT32_MAX - 1]);
  }
}

const byte = (prng: Prng) => (): number => prng.below(256);

function clamp(kind: TypeNode["kind"], value: number): number {
  if (kind === "int64") return value;
  const bits = kind === "int8" ? 8 : kind === "int16" || kind === "uint16" ? 16 : 32;
  if (kind === "uint16" || kind === "uint32") return Math.abs(value) % 2 ** bits;
  const half = 2 ** (bits - 1);
  return value >= half ? half - 1 : value < -half ? -half : value;
}
