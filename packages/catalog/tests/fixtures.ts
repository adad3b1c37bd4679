import { type Uuid, millis } from "@mantou/base";
import {
  type BrokerConfig,
  CatalogImage,
  type Command,
  type DecideContext,
  type MetadataRecord,
  type ReplyTo,
  apply,
  decide,
  parseBrokerConfig,
} from "../src/index.ts";

export function configOf(entries: Record<string, string> = {}): BrokerConfig {
  const parsed = parseBrokerConfig(Object.entries(entries));
  if (!parsed.ok) throw new Error(parsed.error.join("\n"));
  return parsed.value;
}

/** Ids that are easy to read: topic-000001AAAAAAAAA. */
export function numberedUuids(): () => Uuid {
  let count = 0;
  return () => {
    count += 1;
    return `id${String(count).padStart(6, "0")}AAAAAAAAAAAAAA` as Uuid;
  };
}

/** An image and everything that was recorded on the way to it. */
export class Cluster {
  image = new CatalogImage();
  readonly batches: (readonly MetadataRecord[])[] = [];
  readonly context: DecideContext;

  constructor(entries: Record<string, string> = {}) {
    this.context = { nowMs: millis(0), newUuid: numberedUuids(), config: configOf(entries) };
  }

  /** Decides, applies, replies: what a driver does on a cluster of one. */
  run<C extends Command>(command: C): ReplyTo<C> {
    const { records, reply } = decide(this.image, command, this.context);
    if (records.length > 0) this.batches.push(records);
    for (const record of records) apply(this.image, record);
    return reply;
  }

  /** Registers brokers and lets them in. */
  start(...nodeIds: number[]): this {
    this.run({ kind: "initializeCluster", clusterId: "test-cluster" });
    for (const nodeId of nodeIds) this.join(nodeId);
    return this;
  }

  join(nodeId: number): void {
    const { brokerEpoch } = this.run({
      kind: "registerBroker",
      nodeId,
      incarnationId: this.context.newUuid(),
      rack: null,
      endpoints: [
        {
          listener: "PLAINTEXT",
          host: `host-${nodeId}`,
          port: 9092,
          securityProtocol: "PLAINTEXT",
        },
      ],
      earlierIsAlive: false,
    });
    this.run({ kind: "fenceBroker", nodeId, brokerEpoch, fenced: false });
  }

  create(name: string, numPartitions = 1, replicationFactor = 1, configs: [string, string][] = []) {
    const topic = {
      name,
      numPartitions,
      replicationFactor,
      assignments: [],
      configs: configs.map(([key, value]) => ({ name: key, value })),
    };
    const [created] = this.run({ kind: "createTopics", topics: [topic], validateOnly: false });
    if (created === undefined) throw new Error("no reply");
    return created;
  }
}
