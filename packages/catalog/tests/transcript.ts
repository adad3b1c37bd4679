import { type Uuid, ZERO_UUID } from "@mantou/base";
import { errorName } from "@mantou/protocol";
import {
  type Command,
  ConfigOperation,
  type ItemReply,
  LEADER_UNCHANGED,
  type MetadataRecord,
  type NewTopic,
  checkInvariants,
  decide,
  encodeSnapshot,
  restoreSnapshot,
  apply,
} from "../src/index.ts";
import { Cluster } from "./fixtures.ts";

/** Runs the commands of a transcript and writes down what the machine says to each. */
export class Transcript {
  private readonly cluster = new Cluster();

  /** The answer to one line, as lines. */
  run(line: string): string[] {
    const [verb = "", ...words] = line.split(/\s+/);
    if (verb === "show") return this.show();
    if (verb === "restart") return this.restart();
    const command = this.parse(verb, words);
    const { records, reply } = decide(this.cluster.image, command, this.cluster.context);
    const said = records.map((record) => `  ${this.sayRecord(record)}`);
    for (const record of records) apply(this.cluster.image, record);
    const replies = (Array.isArray(reply) ? reply : [reply]) as (ItemReply & object)[];
    said.push(...replies.map((each) => `  = ${sayReply(each)}`));
    said.push(...checkInvariants(this.cluster.image).map((fault) => `  BROKEN ${fault}`));
    return said;
  }

  private parse(verb: string, words: string[]): Command {
    switch (verb) {
      case "cluster":
        return { kind: "initializeCluster", clusterId: words[0] ?? "" };
      case "register":
        return this.register(words);
      case "unfence":
      case "fence": {
        const nodeId = Number(words[0]);
        const brokerEpoch = Number(words[1] ?? this.cluster.image.broker(nodeId)?.epoch ?? -1);
        return { kind: "fenceBroker", nodeId, brokerEpoch, fenced: verb === "fence" };
      }
      case "unregister":
        return { kind: "unregisterBroker", nodeId: Number(words[0]) };
      case "create":
        return {
          kind: "createTopics",
          topics: split(words.filter((word) => word !== "--validate")).map(parseTopic),
          validateOnly: words.includes("--validate"),
        };
      case "delete":
        return { kind: "deleteTopics", topics: words.map((word) => this.named(word)) };
      case "grow":
        return {
          kind: "createPartitions",
          topics: split(words.filter((word) => word !== "--validate")).map(parseGrowth),
          validateOnly: words.includes("--validate"),
        };
      case "replace":
        return {
          kind: "replaceConfigs",
          resources: split(words).map(([resource = "", ...pairs]) => ({
            ...parseResource(resource),
            configs: pairs.map(parsePair),
          })),
          validateOnly: false,
        };
      case "change":
        return {
          kind: "changeConfigs",
          resources: split(words).map(([resource = "", ...operations]) => ({
            ...parseResource(resource),
            configs: operations.map(parseOperation),
          })),
          validateOnly: false,
        };
      case "isr":
        return this.alterIsr(words);
      case "producer-ids": {
        const nodeId = Number(words[0]);
        const brokerEpoch = Number(words[1] ?? this.cluster.image.broker(nodeId)?.epoch ?? -1);
        return { kind: "allocateProducerIds", nodeId, brokerEpoch };
      }
      default:
        throw new Error(`unknown command ${verb}`);
    }
  }

  private register(words: string[]): Command {
    const nodeId = Number(words[0]);
    const again = words.includes("--again");
    const incarnationId = again
      ? (this.cluster.image.broker(nodeId)?.incarnationId ?? ZERO_UUID)
      : this.cluster.context.newUuid();
    const endpoint = {
      listener: "PLAINTEXT",
      host: `host-${nodeId}`,
      port: 9092,
      securityProtocol: "PLAINTEXT",
    };
    return {
      kind: "registerBroker",
      nodeId,
      incarnationId,
      rack: null,
      endpoints: words.includes("--nowhere") ? [] : [endpoint],
      earlierIsAlive: words.includes("--earlier-is-alive"),
    };
  }

  /** isr NODE TOPIC PARTITION LEADER-EPOCH PARTITION-EPOCH A,B,C */
  private alterIsr(words: string[]): Command {
    const [node, topic = "", partition, leaderEpoch, partitionEpoch, isr = ""] = words;
    const nodeId = Number(node);
    return {
      kind: "alterPartitions",
      nodeId,
      brokerEpoch: this.cluster.image.broker(nodeId)?.epoch ?? -1,
      partitions: [
        {
          topicId: this.cluster.image.topicByName(topic)?.topicId ?? ZERO_UUID,
          partition: Number(partition),
          leaderEpoch: Number(leaderEpoch),
          partitionEpoch: Number(partitionEpoch),
          isr: isr === "" ? [] : isr.split(",").map(Number),
        },
      ],
    };
  }

  /** `name`, `#id`, `#name-of-topic-by-its-id`, or `name#id` for both. */
  private named(word: string): { name: string | null; topicId: Uuid } {
    const [name = "", id] = word.split("#");
    const topicId =
      id === undefined ? ZERO_UUID : (this.cluster.image.topicByName(id)?.topicId ?? id);
    return { name: name === "" ? null : name, topicId: topicId as Uuid };
  }

  private sayRecord(record: MetadataRecord): string {
    const { kind, ...rest } = record;
    const fields = Object.entries(rest).map(([name, value]) => {
      if (name === "topicId" && kind !== "topic") {
        return this.cluster.image.topicById(value as Uuid)?.name ?? String(value);
      }
      if (name === "leader" && value === LEADER_UNCHANGED) return "leader=same";
      return `${name}=${say(value)}`;
    });
    return [kind, ...fields].join(" ");
  }

  private show(): string[] {
    const { image } = this.cluster;
    const lines = [...image.brokersById.values()].map(
      ({ nodeId, epoch, fenced }) => `  broker ${nodeId} epoch=${epoch}${fenced ? " fenced" : ""}`,
    );
    for (const topic of image.topicsByName.values()) {
      lines.push(`  topic ${topic.name} ${topic.topicId}`);
      for (let index = 0; index < topic.partitionCount; index += 1) {
        const epochs = `${topic.leaderEpochOf(index)}/${topic.partitionEpochOf(index)}`;
        lines.push(
          `    ${index} leader=${topic.leaderOf(index)} epochs=${epochs} ` +
            `replicas=${topic.replicasOf(index)} isr=${topic.isrOf(index)}`,
        );
      }
    }
    for (const [type, byName] of image.settings) {
      for (const [name, settings] of byName) {
        const pairs = [...settings].map((pair) => pair.join("="));
        lines.push(`  settings ${type}/${name} ${pairs.join(" ")}`);
      }
    }
    return lines;
  }

  /** Forgets everything but a snapshot. */
  private restart(): string[] {
    const before = encodeSnapshot(this.cluster.image);
    const restored = restoreSnapshot(before);
    if (!restored.ok) return [`  BROKEN ${restored.error.message}`];
    this.cluster.image = restored.value;
    const same = Buffer.compare(before, encodeSnapshot(restored.value)) === 0;
    return [same ? "  same as before" : "  BROKEN the snapshot changes when it is taken again"];
  }
}

/** Items of one command stand apart by a bar. */
function split(words: readonly string[]): string[][] {
  const items: string[][] = [[]];
  for (const word of words) {
    if (word === "|") items.push([]);
    else items.at(-1)?.push(word);
  }
  return items;
}

/** NAME p=PARTITIONS r=REPLICAS assign=0:1,2;1:2,3 setting=value … */
function parseTopic([name = "", ...words]: string[]): NewTopic {
  const given = new Map(words.map((word) => [parsePair(word).name, parsePair(word).value]));
  const assign = given.get("assign");
  return {
    name: name.startsWith("x*") ? "x".repeat(Number(name.slice(2))) : name,
    numPartitions: Number(given.get("p") ?? -1),
    replicationFactor: Number(given.get("r") ?? -1),
    assignments: (assign ?? "")
      .split(";")
      .filter((item) => item !== "")
      .map((item) => {
        const [index, brokers = ""] = item.split(":");
        return { partitionIndex: Number(index), brokerIds: numbers(brokers) };
      }),
    configs: words.map(parsePair).filter((pair) => !["p", "r", "assign"].includes(pair.name)),
  };
}

/** NAME COUNT assign=1,2;2,3 */
function parseGrowth([name = "", count, assign]: string[]) {
  const assignments =
    assign === undefined
      ? null
      : assign
          .slice("assign=".length)
          .split(";")
          .map((brokers) => ({ brokerIds: numbers(brokers) }));
  return { name, count: Number(count), assignments };
}

const numbers = (text: string): number[] => (text === "" ? [] : text.split(",").map(Number));

/** `name=value`; a bare `name` has no value. Underscores stand for blanks. */
function parsePair(word: string): { name: string; value: string | null } {
  const at = word.indexOf("=");
  if (at < 0) return { name: word, value: null };
  return { name: word.slice(0, at), value: word.slice(at + 1).replaceAll("_", " ") };
}

/** topic/NAME, broker/NUMBER, broker/ for all, or NUMBER/NAME. */
function parseResource(word: string): { resourceType: number; resourceName: string } {
  const at = word.indexOf("/");
  const type = word.slice(0, at);
  const resourceType = { topic: 2, broker: 4 }[type] ?? Number(type);
  return { resourceType, resourceName: word.slice(at + 1) };
}

/** name=value sets, -name deletes, name+=value appends, name-=value takes away, name?=value: 9. */
function parseOperation(word: string) {
  if (word.startsWith("-")) {
    return { name: word.slice(1), configOperation: ConfigOperation.DELETE, value: null };
  }
  const match = /^([^=]*?)([+?-])=(.*)$/.exec(word);
  if (match === null) return { ...parsePair(word), configOperation: ConfigOperation.SET };
  const operations: Record<string, number> = {
    "+": ConfigOperation.APPEND,
    "-": ConfigOperation.SUBTRACT,
    "?": 9,
  };
  const configOperation = operations[match[2] as string] as number;
  return { name: match[1] as string, configOperation, value: match[3] as string };
}

function sayReply(reply: ItemReply & object): string {
  const { errorCode, errorMessage, ...rest } = reply;
  const fields = Object.entries(rest)
    .filter(([, value]) => value !== ZERO_UUID && !(value instanceof Map))
    .map(([name, value]) => `${name}=${say(value)}`);
  const outcome = errorName(errorCode) + (errorMessage === null ? "" : `: ${errorMessage}`);
  return [...fields, outcome].join(" ");
}

function say(value: unknown): string {
  if (value instanceof Int32Array) return `[${[...value].join(" ")}]`;
  if (typeof value === "string" && value.length > 60) return `${value.slice(0, 10)}…`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
