import type { CoordinatorRecord, TimerChange, Uuid } from "@mantou/base";
import type { ConsumerGroupHeartbeatRequest, JoinGroupRequest } from "@mantou/protocol";
import { encodeConsumerSubscription } from "@mantou/protocol";
import type {
  GroupCommand,
  GroupContext,
  GroupReply,
  GroupSettings,
  Replies,
  TopicsView,
} from "../src/index.ts";
import { DEFAULT_GROUP_SETTINGS, GroupShard } from "../src/index.ts";

const NO_BATCH = { baseOffset: 0, producerId: -1, producerEpoch: -1, isTransactional: false };

/** Topics that a test makes and unmakes. */
export class Topics implements TopicsView {
  private readonly byName = new Map<string, { id: Uuid; partitions: number; racks: string[][] }>();
  private made = 0;

  create(name: string, partitions: number, racks: string[][] = []): Uuid {
    const id = `${String(++this.made).padStart(4, "0")}${name}`.padEnd(21, "_").slice(0, 21) + "A";
    this.byName.set(name, { id: id as Uuid, partitions, racks });
    return id as Uuid;
  }
  delete(name: string): void {
    this.byName.delete(name);
  }
  grow(name: string, partitions: number): void {
    const topic = this.byName.get(name);
    if (topic !== undefined) topic.partitions = partitions;
  }
  exists(name: string): boolean {
    return this.byName.has(name);
  }
  idOf(name: string): Uuid | undefined {
    return this.byName.get(name)?.id;
  }
  nameOf(topicId: Uuid): string | undefined {
    for (const [name, { id }] of this.byName) if (id === topicId) return name;
    return undefined;
  }
  partitionCount(name: string): number {
    return this.byName.get(name)?.partitions ?? 0;
  }
  racksOf(name: string, partition: number): readonly string[] {
    return this.byName.get(name)?.racks[partition] ?? [];
  }
  names(): Iterable<string> {
    return this.byName.keys();
  }
}

/** A shard with a clock that stands still, a log, and timers that fire when time is let pass. */
export class World {
  readonly topics = new Topics();
  readonly configs = new Map<string, Map<string, string>>();
  log: CoordinatorRecord[] = [];
  settings: GroupSettings;
  shard: GroupShard;
  nowMs = 1_000;
  timers = new Map<string, { dueMs: number; command: GroupCommand }>();
  /** Answers that nobody has taken yet, by ticket. */
  readonly replies = new Map<number, GroupReply>();
  readonly asked = new Set<number>();
  /** Records of the last step. */
  wrote: readonly CoordinatorRecord[] = [];
  private tickets = 0;
  private ids = 0;

  constructor(settings: Partial<GroupSettings> = {}) {
    this.settings = { ...DEFAULT_GROUP_SETTINGS, ...settings };
    this.shard = new GroupShard(this.context());
  }

  private context(): GroupContext {
    const settings = (): GroupSettings => this.settings;
    return {
      get settings() {
        return settings();
      },
      topics: this.topics,
      groupConfigs: (groupId) => this.configs.get(groupId),
      newMemberId: (prefix) => `${prefix}-${++this.ids}`,
      newUuid: () => `uuid-${++this.ids}`.padEnd(22, "A") as Uuid,
    };
  }

  private moment() {
    return { wallMs: 1_700_000_000_000 + this.nowMs, monotonicMs: this.nowMs };
  }

  private take(effects: ReturnType<GroupShard["step"]>): void {
    const wrote: CoordinatorRecord[] = [];
    for (const { records } of effects.writes) for (const record of records) wrote.push(record);
    this.wrote = wrote;
    this.log.push(...wrote);
    for (const change of effects.timers as readonly TimerChange<GroupCommand>[]) {
      if (change.kind === "set") this.timers.set(change.key, change);
      else this.timers.delete(change.key);
    }
    for (const { ticket, reply } of effects.replies) {
      if (!this.asked.delete(ticket)) throw new Error(`ticket ${ticket} is answered twice`);
      this.replies.set(ticket, reply);
    }
  }

  /** Hands a command in; the ticket of its answer. */
  ask(command: GroupCommand): number {
    const ticket = ++this.tickets;
    this.asked.add(ticket);
    this.take(this.shard.step(ticket, command, this.moment()));
    return ticket;
  }

  /** The answer, where it has come. */
  answer<K extends keyof Replies>(_: K, ticket: number): Replies[K] | undefined {
    const reply = this.replies.get(ticket);
    this.replies.delete(ticket);
    return reply as Replies[K] | undefined;
  }

  /** A command that is answered at once. */
  call<K extends keyof Replies>(command: GroupCommand & { readonly kind: K }): Replies[K] {
    const reply = this.answer(command.kind, this.ask(command));
    if (reply === undefined) throw new Error(`${command.kind} waits`);
    return reply;
  }

  tell(command: GroupCommand): void {
    this.take(this.shard.step(null, command, this.moment()));
  }

  /** Lets time pass; timers fire at their moments. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      let first: string | undefined;
      for (const [key, { dueMs }] of this.timers) {
        const best = first === undefined ? endMs : (this.timers.get(first)?.dueMs ?? endMs);
        if (dueMs <= endMs && (first === undefined || dueMs < best)) first = key;
      }
      if (first === undefined) break;
      const timer = this.timers.get(first);
      this.timers.delete(first);
      if (timer === undefined) break;
      this.nowMs = Math.max(this.nowMs, timer.dueMs);
      this.tell(timer.command);
    }
    this.nowMs = endMs;
  }

  /** Forgets the shard and makes it anew of its log, perhaps compacted. Open tickets are lost. */
  reload(compacted = false): void {
    if (compacted) this.log = compact(this.log);
    this.timers.clear();
    this.asked.clear();
    this.shard = new GroupShard(this.context());
    for (const record of this.log) this.shard.replay(record, NO_BATCH);
    this.take(this.shard.loaded(this.moment()));
  }

  heartbeat(
    request: Partial<ConsumerGroupHeartbeatRequest> & { memberId: string },
    version = 1,
  ): Replies["consumerGroupHeartbeat"] {
    return this.call({
      kind: "consumerGroupHeartbeat",
      clientId: "client",
      clientHost: "/127.0.0.1",
      version,
      request: heartbeatRequest(request),
    });
  }

  describe(groupId = "g"): Replies["consumerGroupDescribe"] {
    return this.call({ kind: "consumerGroupDescribe", groupId });
  }
}

/** The last record of each key, in the order of the log; tombstones go. */
function compact(log: readonly CoordinatorRecord[]): CoordinatorRecord[] {
  const last = new Map<string, number>();
  const keyOf = (record: CoordinatorRecord): string => Buffer.from(record.key).toString("latin1");
  for (const [index, record] of log.entries()) last.set(keyOf(record), index);
  return log.filter((record, i) => last.get(keyOf(record)) === i && record.value !== null);
}

export const heartbeatRequest = (
  request: Partial<ConsumerGroupHeartbeatRequest> & { memberId: string },
): ConsumerGroupHeartbeatRequest => ({
  groupId: "g",
  memberEpoch: 0,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  subscribedTopicNames: null,
  subscribedTopicRegex: null,
  serverAssignor: null,
  topicPartitions: null,
  ...request,
});

/** A whole first heartbeat. */
export const joinOf = (
  memberId: string,
  names: readonly string[],
  more: Partial<ConsumerGroupHeartbeatRequest> = {},
): Partial<ConsumerGroupHeartbeatRequest> & { memberId: string } => ({
  memberId,
  memberEpoch: 0,
  rebalanceTimeoutMs: 300_000,
  subscribedTopicNames: [...names],
  topicPartitions: [],
  ...more,
});

export const classicJoin = (
  memberId: string,
  topics: readonly string[],
  owned: readonly { topic: string; partitions: number[] }[] = [],
  more: Partial<JoinGroupRequest> = {},
): JoinGroupRequest => ({
  groupId: "g",
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  memberId,
  groupInstanceId: null,
  protocolType: "consumer",
  protocols: [
    {
      name: "range",
      metadata: encodeConsumerSubscription(
        { topics: [...topics], userData: null, ownedPartitions: [...owned] },
        1,
      ),
    },
  ],
  reason: null,
  ...more,
});
