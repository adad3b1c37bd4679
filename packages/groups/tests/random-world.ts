import { Prng, assert } from "@mantou/base";
import { decodeConsumerAssignment, encodeConsumerAssignment } from "@mantou/protocol";
import type { GroupCommand, GroupReply, Replies } from "../src/index.ts";
import {
  RecordType,
  decodeGroupMetadata,
  decodeGroupMetadataKey,
  decodeOffsetCommitKey,
  recordTypeOf,
} from "../src/index.ts";
import type { Logged } from "./shard-host.ts";
import { ShardHost, commit, fetch, heartbeat, join, leave, sync, txnCommit } from "./shard-host.ts";

const GROUPS = ["red", "green", "blue"];
const TOPIC = "orders";
const PARTITIONS = 8;
const PRODUCERS = 3;

/** A consumer of the classic protocol that does what it should, and at times what it should not. */
class Client {
  memberId = "";
  generation = -1;
  phase: "out" | "joining" | "joined" | "syncing" | "stable" = "out";
  members: readonly string[] = [];
  owned: readonly number[] = [];
  ticket = 0;

  constructor(
    readonly name: string,
    readonly group: string,
    readonly instanceId: string | null,
    readonly version: number,
  ) {}

  forget(): void {
    this.memberId = "";
    this.generation = -1;
    this.phase = "out";
    this.owned = [];
  }
}

interface Commit {
  readonly value: number;
  readonly group: string;
  readonly partition: number;
}

/** Everything that is random about one run, and what must be true throughout. */
export class RandomWorld {
  private readonly prng: Prng;
  private readonly host: ShardHost;
  private readonly clients: Client[] = [];
  /** Who asked with the ticket. */
  private readonly askers = new Map<number, Client>();
  private readonly commits = new Map<number, Commit>();
  /** Commits are numbered in their order: a committed offset that shrinks has gone back. */
  private value = 0;
  /** The highest that was acknowledged, by group and partition. */
  private readonly acknowledged = new Map<string, number>();
  /** Who was given a partition in a generation. */
  private readonly owners = new Map<string, string>();
  private readonly openProducers = new Map<number, Commit[]>();
  steps = 0;
  generations = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.host = new ShardHost({
      initialRebalanceDelayMs: this.prng.pick([0, 0, 3_000]),
      classicMembersMax: this.prng.pick([3, 100]),
    });
    this.host.topics.create(TOPIC, PARTITIONS);
    this.host.lags = this.prng.chance(1, 2);
    this.host.onReply = (ticket, reply) => this.answered(ticket, reply);
    for (let at = 0; at < 8; at++) {
      const instanceId = this.prng.chance(1, 3) ? `i${at}` : null;
      const version = this.prng.pick([1, 3, 5, 9]);
      const group = this.prng.pick(GROUPS);
      this.clients.push(new Client(`c${at}`, group, version < 5 ? null : instanceId, version));
    }
  }

  step(): void {
    this.steps++;
    const { prng, host } = this;
    const dice = prng.below(100);
    if (dice < 60) this.act(prng.pick(this.clients));
    else if (dice < 75) host.pass(prng.pick([1, 1, 1, 100, 100, 500, 500, 3_000, 20_000]));
    else if (dice < 80) this.transact();
    else if (dice < 82) this.endTransaction();
    else if (dice < 84) this.administer();
    else if (dice < 85) this.crash();
    else host.flush(host.log.length - prng.below(host.volatileCount + 1));
    host.shard.checkInvariants();
    if (prng.chance(1, 20)) this.checkOffsets();
    if (prng.chance(1, 100)) this.checkLogs();
  }

  private ask(client: Client, command: GroupCommand): void {
    // The answer may come while we ask.
    const before = this.asking;
    this.asking = client;
    client.ticket = this.host.ask(command);
    this.askers.set(client.ticket, client);
    this.asking = before;
  }

  private asking: Client | null = null;

  private act(client: Client): void {
    const { prng } = this;
    if (prng.chance(1, 100)) return client.forget();
    if (prng.chance(1, 100)) return this.leave(client);
    switch (client.phase) {
      case "out":
        return this.join(client);
      case "joining":
        // Its connection was lost: it asks again.
        if (prng.chance(1, 10)) this.join(client);
        else if (prng.chance(1, 4)) this.beat(client);
        return;
      case "joined":
        if (prng.chance(1, 10)) this.beat(client);
        else if (prng.chance(1, 20)) this.commit(client);
        else this.sync(client);
        return;
      case "syncing":
        if (prng.chance(1, 10)) this.sync(client);
        else if (prng.chance(1, 20)) this.join(client);
        return;
      default:
        if (prng.chance(1, 2)) this.commit(client);
        else if (prng.chance(1, 30)) this.join(client);
        else this.beat(client);
    }
  }

  private join(client: Client): void {
    client.phase = "joining";
    const protocols = this.prng.chance(1, 20) ? ["sticky", "range"] : ["range"];
    const { memberId, instanceId, version, name } = client;
    const options = { memberId, instanceId, version, protocols, clientId: name };
    this.ask(client, join(client.group, { ...options, sessionTimeoutMs: 10_000 }));
  }

  /** The leader deals the partitions out. */
  private sync(client: Client): void {
    client.phase = "syncing";
    const dealt = new Map<string, number[]>(client.members.map((memberId) => [memberId, []]));
    if (client.members.length > 0) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        dealt.get(this.prng.pick(client.members))?.push(partition);
      }
    }
    const assignments = Object.fromEntries(
      [...dealt].map(([memberId, partitions]) => [
        memberId,
        encodeConsumerAssignment({ assignedPartitions: [{ topic: TOPIC, partitions }] }, 1),
      ]),
    );
    const { group, memberId, generation, instanceId } = client;
    this.ask(client, sync(group, memberId, generation, { assignments, instanceId }));
  }

  private beat(client: Client): void {
    const { group, memberId, generation, instanceId } = client;
    this.ask(client, heartbeat(group, memberId, generation, instanceId));
  }

  private leave(client: Client): void {
    const leaver = { memberId: client.memberId, groupInstanceId: client.instanceId };
    this.ask(client, leave(client.group, [leaver]));
    client.forget();
  }

  private commit(client: Client): void {
    const partition = this.prng.below(PARTITIONS);
    const made = { value: ++this.value, group: client.group, partition };
    const { memberId, instanceId, generation } = client;
    const options = { memberId, instanceId, generationId: generation };
    const ticket = this.host.ask(commit(client.group, TOPIC, partition, made.value, options));
    this.note(ticket, made);
  }

  private note(ticket: number, made: Commit): void {
    this.commits.set(ticket, made);
    const reply = this.host.replyTo<"offsetCommit">(ticket);
    if (reply !== undefined) this.committed(ticket, reply);
  }

  private transact(): void {
    const producer = this.prng.below(PRODUCERS);
    const group = this.prng.pick(GROUPS);
    const partition = this.prng.below(PARTITIONS);
    const made = { value: ++this.value, group, partition };
    this.host.ask(txnCommit(group, producer, TOPIC, partition, made.value));
    const open = this.openProducers.get(producer) ?? [];
    this.openProducers.set(producer, [...open, made]);
  }

  /** The marker is written behind everything, and known when it is durable. */
  private endTransaction(): void {
    const producer = this.prng.below(PRODUCERS);
    const isCommit = this.prng.chance(1, 2);
    this.host.flush();
    this.host.endTransaction(producer, isCommit);
    this.host.flush();
    this.openProducers.delete(producer);
  }

  private administer(): void {
    const { prng, host } = this;
    const groupId = prng.pick(GROUPS);
    if (prng.chance(1, 2)) {
      const made = { value: ++this.value, group: groupId, partition: prng.below(PARTITIONS) };
      this.note(host.ask(commit(groupId, TOPIC, made.partition, made.value)), made);
      return;
    }
    host.ask({ kind: "deleteGroup", groupId });
    // What is deleted may be committed anew from anywhere: told to go back.
    for (let partition = 0; partition < PARTITIONS; partition++) {
      this.acknowledged.delete(`${groupId}-${partition}`);
    }
    // And a group that is made anew counts its generations anew.
    for (const key of this.owners.keys()) {
      if (key.startsWith(`${groupId} `)) this.owners.delete(key);
    }
    for (const [ticket, made] of this.commits)
      if (made.group === groupId) this.commits.delete(ticket);
  }

  private crash(): void {
    this.host.crash();
    this.askers.clear();
    this.commits.clear();
    for (const client of this.clients) {
      if (client.phase === "joining" || client.phase === "syncing") client.phase = "out";
    }
  }

  private answered(ticket: number, reply: GroupReply): void {
    if (this.commits.has(ticket)) this.committed(ticket, reply as Replies["offsetCommit"]);
    const client = this.askers.get(ticket) ?? this.asking;
    if (client === null || this.commits.has(ticket)) return;
    // An answer to a request that was overtaken is nobody's business any more.
    if (this.askers.has(ticket) && client.ticket !== ticket) return;
    if ("generationId" in reply) this.joined(client, reply);
    else if ("assignment" in reply) this.synced(client, reply as Replies["syncGroup"]);
    else if ("errorCode" in reply) this.beaten(client, reply.errorCode as number);
  }

  private committed(ticket: number, reply: Replies["offsetCommit"]): void {
    const made = this.commits.get(ticket);
    this.commits.delete(ticket);
    if (made === undefined || reply.topics[0]?.partitions[0]?.errorCode !== 0) return;
    const key = `${made.group}-${made.partition}`;
    this.acknowledged.set(key, Math.max(made.value, this.acknowledged.get(key) ?? 0));
  }

  private joined(client: Client, reply: Replies["joinGroup"]): void {
    if (client.phase !== "joining") return;
    if (reply.errorCode !== 0) {
      // MEMBER_ID_REQUIRED and REBALANCE_IN_PROGRESS leave it its id.
      client.phase = "out";
      client.memberId = reply.errorCode === 79 ? reply.memberId : "";
      return;
    }
    client.memberId = reply.memberId;
    client.generation = reply.generationId ?? -1;
    client.members = reply.members.map(({ memberId }) => memberId);
    client.phase = "joined";
    this.generations = Math.max(this.generations, client.generation);
  }

  private synced(client: Client, reply: Replies["syncGroup"]): void {
    if (client.phase !== "syncing") return;
    client.phase = reply.errorCode === 0 ? "stable" : "out";
    if (reply.errorCode === 25 || reply.errorCode === 82) client.forget();
    if (reply.errorCode !== 0 || reply.assignment.length === 0) return;
    const { assignedPartitions } = decodeConsumerAssignment(reply.assignment);
    const owner = client.instanceId ?? client.memberId;
    client.owned = assignedPartitions[0]?.partitions ?? [];
    for (const partition of client.owned) {
      const key = `${client.group} ${client.generation} ${partition}`;
      const known = this.owners.get(key);
      assert(known === undefined || known === owner, `${key} is ${known}'s, not ${owner}'s`);
      this.owners.set(key, owner);
    }
  }

  private beaten(client: Client, errorCode: number): void {
    if (errorCode === 27 && client.phase === "stable") client.phase = "out";
    if (errorCode === 25 || errorCode === 22 || errorCode === 82) client.forget();
  }

  /** What was acknowledged is there, or something later. */
  private checkOffsets(): void {
    this.host.flush();
    for (const group of GROUPS) {
      const ticket = this.host.ask(fetch(group));
      this.host.flush();
      const reply = this.host.replyTo<"offsetFetch">(ticket);
      const found = new Map(
        reply?.topics[0]?.partitions.map((p) => [p.partitionIndex, p.committedOffset]),
      );
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const least = this.acknowledged.get(`${group}-${partition}`) ?? -1;
        const have = found.get(partition) ?? -1;
        assert(have >= least, `${group}-${partition} went back from ${least} to ${have}`);
        assert(have <= this.value, "an offset that nobody committed");
        if (have > least) this.acknowledged.set(`${group}-${partition}`, have);
      }
    }
  }

  /** No faults any more, and time: everybody is answered, and the log says what the shard knows. */
  finish(): void {
    const { host } = this;
    host.lags = false;
    host.flush();
    this.checkOffsets();
    this.checkLogs();
    host.pass(700_000);
    assert(host.openCount === 0, `${host.openCount} tickets were never answered`);
    host.shard.checkInvariants();
    this.checkReplay(host.log, "the final log");
  }

  private checkLogs(): void {
    this.host.flush();
    this.checkReplay(this.host.log, "the log");
    this.checkReplay(compacted(this.host.log), "the compacted log");
  }

  /** A shard that reads the log knows what the last records say, and what ours knows. */
  private checkReplay(log: readonly Logged[], which: string): void {
    const { host } = this;
    const other = host.replayed(log);
    other.loaded(host.moment);
    other.checkInvariants();
    const generations = writtenGroups(host.log);
    for (const groupId of GROUPS) {
      const say = (command: GroupCommand): string => {
        const theirs = JSON.stringify(other.step(1, command, host.moment).replies);
        return theirs.replace('"ticket":1,', "");
      };
      const ours = (command: GroupCommand): string =>
        JSON.stringify(host.shard.step(1, command, host.moment).replies).replace('"ticket":1,', "");
      const offsets = fetch(groupId, { requireStable: true });
      const sorted = (text: string): string => sortOffsets(text);
      assert(sorted(say(offsets)) === sorted(ours(offsets)), `${which} has ${groupId}'s offsets`);
      const describe: GroupCommand = { kind: "describeGroup", groupId, version: 6 };
      const live = ours(describe);
      const isSettled = live.includes('"Stable"') || live.includes('"Empty"');
      if (isSettled) {
        assert(membersOf(say(describe)) === membersOf(live), `${which} has group ${groupId}`);
      }
      const written = generations.get(groupId);
      if (written === undefined) continue;
      assert(membersOf(say(describe)) === written, `${which} says of ${groupId} what was written`);
    }
  }
}

function sortOffsets(text: string): string {
  const [reply] = JSON.parse(text) as { reply: Replies["offsetFetch"] }[];
  const partitions = reply?.reply.topics.flatMap((topic) => topic.partitions) ?? [];
  return JSON.stringify([...partitions].sort((a, b) => a.partitionIndex - b.partitionIndex));
}

function membersOf(text: string): string {
  const [reply] = JSON.parse(text) as { reply: Replies["describeGroup"] }[];
  const members = reply?.reply.members.map((member) => member.memberId) ?? [];
  return members.sort().join(",");
}

/** Members by group, as the last record of each says. */
function writtenGroups(log: readonly Logged[]): Map<string, string> {
  const groups = new Map<string, string>();
  for (const { record } of log) {
    if (record === null || recordTypeOf(record.key) !== RecordType.GROUP_METADATA) continue;
    const groupId = decodeGroupMetadataKey(record.key);
    if (record.value === null) groups.delete(groupId);
    else {
      const { members } = decodeGroupMetadata(record.value);
      const memberIds = members.map((member) => member.memberId).sort();
      groups.set(groupId, memberIds.join(","));
    }
  }
  return groups;
}

/**
 * The log as a cleaner leaves it: of each key the last record that was not aborted, markers, and
 * all from the first open transaction on.
 */
export function compacted(log: readonly Logged[]): Logged[] {
  const end = firstOpen(log);
  const aborted = abortedRecords(log);
  const last = new Map<string, Logged>();
  const keyOf = ({ record }: Logged): string =>
    record === null ? "" : Buffer.from(record.key).toString("latin1");
  for (const logged of log.slice(0, end)) {
    if (logged.record !== null && !aborted.has(logged)) last.set(keyOf(logged), logged);
  }
  return log.filter(
    (logged, at) => at >= end || logged.marker !== null || last.get(keyOf(logged)) === logged,
  );
}

function firstOpen(log: readonly Logged[]): number {
  const open = new Map<number, number>();
  for (const [at, { record, marker, batch }] of log.entries()) {
    if (marker !== null) open.delete(marker.producerId);
    else if (record !== null && batch.isTransactional && !open.has(batch.producerId)) {
      open.set(batch.producerId, at);
    }
  }
  return Math.min(log.length, ...open.values());
}

function abortedRecords(log: readonly Logged[]): Set<Logged> {
  const aborted = new Set<Logged>();
  const open = new Map<number, Logged[]>();
  for (const logged of log) {
    const { record, marker, batch } = logged;
    if (marker !== null) {
      if (!marker.isCommit) for (const one of open.get(marker.producerId) ?? []) aborted.add(one);
      open.delete(marker.producerId);
    } else if (record !== null && batch.isTransactional) {
      decodeOffsetCommitKey(record.key);
      open.set(batch.producerId, [...(open.get(batch.producerId) ?? []), logged]);
    }
  }
  return aborted;
}
