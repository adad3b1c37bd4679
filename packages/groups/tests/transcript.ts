import { errorName } from "@mantou/protocol";
import type { GroupCommand, GroupEffects, GroupSettings, Replies } from "../src/index.ts";
import {
  RecordType,
  decodeGroupMetadata,
  decodeGroupMetadataKey,
  decodeOffsetCommitKey,
  decodeOffsetCommitValue,
  recordTypeOf,
} from "../src/index.ts";
import { ShardHost, commit, fetch, heartbeat, join, leave, sync, txnCommit } from "./shard-host.ts";
import { replayBlocks } from "./transcript-blocks.ts";

/**
 * Reads a transcript: blocks of commands, `----`, and what the shard said. Returns the same text
 * with what it says now. Clients have short names; the shard's ids for them are `<name>-<n>`.
 */
export const replay = (text: string): string => replayBlocks(new Stage(), text);

type Options = Readonly<Record<string, string>>;

interface Asked {
  readonly who: string;
  readonly command: GroupCommand;
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const PLACE = /^(.+)-(\d+)$/;

class Stage {
  private host = new ShardHost();
  private readonly memberIds = new Map<string, string>();
  private readonly generations = new Map<string, number>();
  private readonly asked = new Map<number, Asked>();
  private next: Asked | null = null;
  private said: string[] = [];

  constructor() {
    this.host.watch = (effects) => this.describe(effects);
  }

  run(line: string): string[] {
    this.said = [];
    const [verb = "", ...words] = line.trim().split(/\s+/);
    const act = this.verbs[verb];
    if (act === undefined) throw new Error(`unknown command: ${line}`);
    const options = Object.fromEntries(
      words.filter((word) => word.includes("=")).map((word) => word.split("=") as [string, string]),
    );
    act(
      words.filter((word) => !word.includes("=")),
      options,
    );
    this.host.shard.checkInvariants();
    return this.said;
  }

  private readonly verbs: Record<string, (words: string[], options: Options) => void> = {
    shard: (_, options) => this.start(options),
    topic: ([name = "", partitions]) => {
      this.host.topics.create(name, Number(partitions));
    },
    "delete-topic": ([name = ""]) => {
      const topicId = this.host.topics.delete(name);
      this.host.tell({ kind: "topicsDeleted", topics: [{ name, topicId }] });
    },
    join: ([group = "", who = ""], options) => this.join(group, who, options),
    sync: ([group = "", who = ""], options) => this.sync(group, who, options),
    heartbeat: ([group = "", who = ""], options) => {
      const generation = this.generation(who, options);
      this.ask(who, heartbeat(group, this.id(who), generation, options["instance"] ?? null));
    },
    leave: ([group = "", ...names], options) => {
      const leavers = names.map((who) => ({
        memberId: who.startsWith("@") ? "" : this.id(who),
        groupInstanceId: who.startsWith("@") ? who.slice(1) : (options["instance"] ?? null),
      }));
      this.ask(names[0] ?? "?", leave(group, leavers, Number(options["v"] ?? 3)));
    },
    commit: ([group = "", place = "", offset, who], options) => {
      const [, topic = "", partition] = PLACE.exec(place) ?? [];
      const member =
        who === undefined
          ? {}
          : { memberId: this.id(who), generationId: this.generation(who, options) };
      const more = {
        ...(options["v"] === undefined ? {} : { version: Number(options["v"]) }),
        ...(options["metadata"] === undefined ? {} : { metadata: options["metadata"] }),
      };
      this.ask(
        who ?? "admin",
        commit(group, topic, Number(partition), Number(offset), { ...member, ...more }),
      );
    },
    "txn-commit": ([group = "", producer, place = "", offset]) => {
      const [, topic = "", partition] = PLACE.exec(place) ?? [];
      const command = txnCommit(group, Number(producer), topic, Number(partition), Number(offset));
      this.ask(`producer ${producer}`, command);
    },
    marker: ([producer, end]) => this.host.endTransaction(Number(producer), end === "commit"),
    fetch: ([group = "", stable]) => {
      this.ask("admin", fetch(group, { requireStable: stable === "stable" }));
    },
    describe: ([groupId = ""], options) => {
      this.ask("admin", { kind: "describeGroup", groupId, version: Number(options["v"] ?? 6) });
    },
    list: (states) => {
      this.ask("admin", { kind: "listGroups", statesFilter: states, typesFilter: [] });
    },
    delete: ([groupId = ""]) => {
      this.ask("admin", { kind: "deleteGroup", groupId });
    },
    "delete-offset": ([groupId = "", place = ""]) => {
      const [, name = "", partition] = PLACE.exec(place) ?? [];
      const topics = [{ name, partitions: [{ partitionIndex: Number(partition) }] }];
      const request = { groupId, topics };
      this.ask("admin", { kind: "offsetDelete", version: 0, request });
    },
    pass: ([ms]) => this.host.pass(Number(ms)),
    crash: () => this.host.crash(),
  };

  private start(options: Options): void {
    const entries = Object.entries(options).map(([name, value]) => [name, Number(value)] as const);
    const settings = Object.fromEntries(entries) as unknown as Partial<GroupSettings>;
    this.host = new ShardHost(settings);
    this.host.watch = (effects) => this.describe(effects);
  }

  /** A client that has not been given an id has none; `!x` is an id that nobody was given. */
  private id(who: string): string {
    return who.startsWith("!") ? who : (this.memberIds.get(who) ?? "");
  }

  private generation(who: string, options: Options): number {
    return Number(options["gen"] ?? this.generations.get(who) ?? -1);
  }

  private ask(who: string, command: GroupCommand): void {
    this.next = { who, command };
    this.asked.set(this.host.ask(command), this.next);
    this.next = null;
  }

  private join(group: string, who: string, options: Options): void {
    const base = {
      memberId: options["id"] === "none" ? "" : this.id(who),
      clientId: who,
      instanceId: options["instance"] ?? null,
      version: Number(options["v"] ?? 9),
      protocols: (options["protocols"] ?? "range").split(","),
      topics: (options["topics"] ?? "orders").split(","),
      protocolType: options["type"] ?? "consumer",
      sessionTimeoutMs: Number(options["session"] ?? 10_000),
      rebalanceTimeoutMs: Number(options["rebalance"] ?? 60_000),
    };
    const { metadata } = options;
    const bytes = metadata === undefined ? {} : { metadata: new TextEncoder().encode(metadata) };
    this.ask(who, join(group, { ...base, ...bytes }));
  }

  private sync(group: string, who: string, options: Options): void {
    const { gen: _, instance, type, name, v, ...given } = options;
    const assignments = Object.fromEntries(
      Object.entries(given).map(([member, assignment]) => [this.id(member), assignment]),
    );
    const generation = this.generation(who, options);
    const command = sync(group, this.id(who), generation, {
      instanceId: instance ?? null,
      version: Number(v ?? 3),
      protocolType: type ?? null,
      protocolName: name ?? null,
      assignments,
    });
    this.ask(who, command);
  }

  private describe(effects: GroupEffects): void {
    for (const { records, transaction } of effects.writes) {
      const of = transaction === null ? "" : ` in the transaction of ${transaction.producerId}`;
      for (const record of records) this.said.push(`  writes ${describeRecord(record)}${of}`);
    }
    for (const change of effects.timers) {
      const key = change.key.trimEnd().replace(/ \d+ /, " ");
      if (change.kind === "cancel") this.said.push(`  cancels ${key}`);
      else this.said.push(`  sets ${key} in ${change.dueMs - this.host.nowMs} ms`);
    }
    for (const { ticket, reply } of effects.replies) {
      const asked = this.asked.get(ticket) ?? this.next;
      if (asked === null) throw new Error(`nobody asked for ${ticket}`);
      this.said.push(`${asked.who}: ${this.describeReply(asked, reply as never)}`);
    }
  }

  private describeReply({ who, command }: Asked, reply: never): string {
    switch (command.kind) {
      case "joinGroup":
        return this.describeJoin(who, reply);
      case "syncGroup":
        return describeSync(reply);
      case "leaveGroup":
        return describeLeave(reply);
      case "heartbeat":
      case "deleteGroup":
        return errorName((reply as Replies["heartbeat"]).errorCode ?? 0);
      case "offsetCommit":
      case "txnOffsetCommit":
        return (reply as Replies["offsetCommit"]).topics
          .flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorName(errorCode)))
          .join(" ");
      case "offsetDelete": {
        const { errorCode, topics } = reply as Replies["offsetDelete"];
        const each = topics.flatMap(({ partitions }) => partitions.map((p) => p.errorCode));
        return [errorCode, ...each].map((code) => errorName(code)).join(" ");
      }
      case "offsetFetch":
        return describeFetch(reply);
      case "describeGroup":
        return describeGroup(reply);
      case "listGroups":
        return describeList(reply);
      default:
        return JSON.stringify(reply);
    }
  }

  private describeJoin(who: string, reply: Replies["joinGroup"]): string {
    const error = errorName(reply.errorCode);
    if (reply.errorCode === 0 || error === "MEMBER_ID_REQUIRED") {
      this.memberIds.set(who, reply.memberId);
    }
    if (reply.errorCode !== 0) return reply.memberId === "" ? error : `${error} ${reply.memberId}`;
    this.generations.set(who, reply.generationId ?? -1);
    const members = reply.members.map(({ memberId }) => memberId).join(",");
    return (
      `joined as ${reply.memberId} gen=${reply.generationId} ${reply.protocolName} ` +
      `leader=${reply.leader}${members === "" ? "" : ` members=${members}`}` +
      `${reply.skipAssignment === true ? " skips the assignment" : ""}`
    );
  }
}

const describeSync = (reply: Replies["syncGroup"]): string =>
  reply.errorCode === 0 ? `synced "${decode(reply.assignment)}"` : errorName(reply.errorCode);

function describeLeave(reply: Replies["leaveGroup"]): string {
  const members = (reply.members ?? []).map(
    ({ memberId, groupInstanceId, errorCode }) =>
      `${memberId === "" ? `@${groupInstanceId}` : memberId}=${errorName(errorCode)}`,
  );
  return [errorName(reply.errorCode), ...members].join(" ");
}

const describeFetch = (reply: Replies["offsetFetch"]): string =>
  [
    errorName(reply.errorCode ?? 0),
    ...reply.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, committedOffset, metadata, errorCode }) => {
        const value = errorCode === 0 ? committedOffset : errorName(errorCode);
        return `${name}-${partitionIndex}=${value}${metadata === "" ? "" : `(${metadata})`}`;
      }),
    ),
  ].join(" ");

const describeGroup = (reply: Replies["describeGroup"]): string =>
  [
    errorName(reply.errorCode),
    `${reply.groupState} ${reply.protocolType} ${reply.protocolData}`.trimEnd(),
    ...reply.members.map(
      ({ memberId, memberAssignment }) => `${memberId}="${decode(memberAssignment)}"`,
    ),
  ].join(" ");

const describeList = (reply: Replies["listGroups"]): string =>
  reply.length === 0
    ? "no groups"
    : reply.map((group) => `${group.groupId}(${group.groupState} ${group.protocolType})`).join(" ");

function describeRecord({ key, value }: { key: Uint8Array; value: Uint8Array | null }): string {
  if (recordTypeOf(key) === RecordType.GROUP_METADATA) {
    const groupId = decodeGroupMetadataKey(key);
    if (value === null) return `no group ${groupId}`;
    const group = decodeGroupMetadata(value);
    const members = group.members.map(
      ({ memberId, assignment }) => `${memberId}="${decode(assignment)}"`,
    );
    return [`group ${groupId} gen=${group.generation} leader=${group.leader}`, ...members].join(
      " ",
    );
  }
  const { group, topic, partition } = decodeOffsetCommitKey(key);
  if (value === null) return `no offset ${group} ${topic}-${partition}`;
  return `offset ${group} ${topic}-${partition}=${decodeOffsetCommitValue(value).offset}`;
}
