import type { CoordinatorRecord, ReplayedBatch, TransactionMarker, Uuid } from "@mantou/base";
import { ZERO_UUID, assert } from "@mantou/base";
import { encodeConsumerSubscription, uuidFromBytes } from "@mantou/protocol";
import type {
  Answered,
  GroupCommand,
  GroupContext,
  GroupReply,
  GroupSettings,
  Replies,
  TopicsView,
} from "../src/index.ts";
import { DEFAULT_GROUP_SETTINGS, GroupShard } from "../src/index.ts";
import type { GroupEffects } from "../src/index.ts";

/** A cluster's topics for tests. */
export class TestTopics implements TopicsView {
  private readonly byName = new Map<string, { topicId: Uuid; partitions: number }>();
  private readonly byId = new Map<Uuid, string>();
  private made = 0;

  create(name: string, partitions: number): Uuid {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(12, ++this.made);
    const topicId = uuidFromBytes(bytes);
    this.byName.set(name, { topicId, partitions });
    this.byId.set(topicId, name);
    return topicId;
  }

  delete(name: string): Uuid {
    const topicId = this.idOf(name);
    this.byName.delete(name);
    if (topicId !== undefined) this.byId.delete(topicId);
    return topicId ?? ZERO_UUID;
  }

  exists = (name: string): boolean => this.byName.has(name);
  idOf = (name: string): Uuid | undefined => this.byName.get(name)?.topicId;
  nameOf = (topicId: Uuid): string | undefined => this.byId.get(topicId);
  partitionCount = (name: string): number => this.byName.get(name)?.partitions ?? 0;
  racksOf = (): readonly string[] => [];
  names = (): Iterable<string> => this.byName.keys();
}

interface Timer {
  readonly key: string;
  readonly dueMs: number;
  readonly order: number;
  readonly command: GroupCommand;
}

/** A binary heap: the soonest timer first, and of equals the one that was set first. */
class TimerQueue {
  private readonly heap: Timer[] = [];

  push(timer: Timer): void {
    const { heap } = this;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isSooner(timer, heap[above] as Timer)) break;
      heap[at] = heap[above] as Timer;
      at = above;
    }
    heap[at] = timer;
  }

  /** The soonest, if it is due by then. */
  take(end: number): Timer | null {
    const { heap } = this;
    const [first] = heap;
    if (first === undefined || first.dueMs > end) return null;
    const last = heap.pop() as Timer;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  private sink(timer: Timer): void {
    const { heap } = this;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      const right = below + 1;
      if (right < heap.length && isSooner(heap[right] as Timer, heap[below] as Timer))
        below = right;
      if (!isSooner(heap[below] as Timer, timer)) break;
      heap[at] = heap[below] as Timer;
      at = below;
    }
    heap[at] = timer;
  }
}

const isSooner = (a: Timer, b: Timer): boolean =>
  a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs;

export interface Logged {
  readonly record: CoordinatorRecord | null;
  readonly marker: TransactionMarker | null;
  readonly batch: ReplayedBatch;
}

/**
 * What a driver does, in one thread and with a clock that is moved by hand: it keeps what is
 * written, fires timers in their order, and notes what each ticket was answered.
 */
export class ShardHost {
  readonly topics = new TestTopics();
  readonly context: GroupContext & { settings: GroupSettings };
  shard: GroupShard;
  nowMs = 1_000_000;
  /** The wall clock is this much ahead of the other. */
  wallAheadMs = 1_700_000_000_000;
  readonly log: Logged[] = [];
  readonly timers = new Map<string, Timer>();
  private readonly queue = new TimerQueue();
  readonly replies = new Map<number, GroupReply>();
  readonly open = new Set<number>();
  /** With a lag, what is written is durable, and replies leave, when `flush` says so. */
  lags = false;
  private durable = 0;
  private held: { ticket: number; reply: GroupReply; behind: number }[] = [];
  /** Sees each reply that leaves. */
  onReply: (ticket: number, reply: GroupReply) => void = () => {};
  /** Sees the effects of each step. */
  watch: (effects: GroupEffects) => void = () => {};
  private tickets = 0;
  private ids = 0;
  private timerOrder = 0;

  constructor(settings: Partial<GroupSettings> = {}) {
    this.context = {
      settings: { ...DEFAULT_GROUP_SETTINGS, initialRebalanceDelayMs: 0, ...settings },
      topics: this.topics,
      groupConfigs: () => undefined,
      newMemberId: (prefix) => `${prefix}-${++this.ids}`,
      newUuid: () => `uuid${String(++this.ids).padStart(18, "0")}` as Uuid,
    };
    this.shard = new GroupShard(this.context);
    this.take(this.shard.loaded(this.moment));
  }

  get moment(): { wallMs: number; monotonicMs: number } {
    return { wallMs: this.nowMs + this.wallAheadMs, monotonicMs: this.nowMs };
  }

  get openCount(): number {
    return this.open.size;
  }

  /** Hands a command in. @returns the ticket. */
  ask(command: GroupCommand): number {
    const ticket = ++this.tickets;
    this.open.add(ticket);
    this.take(this.shard.step(ticket, command, this.moment));
    return ticket;
  }

  /** A command that is answered at once. */
  call<K extends Answered>(command: GroupCommand & { readonly kind: K }): Replies[K] {
    const ticket = this.ask(command);
    const reply = this.replyTo<K>(ticket);
    assert(reply !== undefined, `${command.kind} is answered at once`);
    return reply;
  }

  tell(command: GroupCommand): void {
    this.take(this.shard.step(null, command, this.moment));
  }

  replyTo<K extends Answered>(ticket: number): Replies[K] | undefined {
    return this.replies.get(ticket) as Replies[K] | undefined;
  }

  private take(effects: GroupEffects): void {
    this.watch(effects);
    for (const { records, transaction } of effects.writes) {
      assert(records.length > 0, "a batch has records");
      const baseOffset = this.log.length;
      const batch: ReplayedBatch = {
        baseOffset,
        producerId: transaction?.producerId ?? -1,
        producerEpoch: transaction?.producerEpoch ?? -1,
        isTransactional: transaction !== null,
      };
      for (const record of records) this.log.push({ record, marker: null, batch });
    }
    for (const change of effects.timers) {
      if (change.kind === "cancel") this.timers.delete(change.key);
      else {
        const { dueMs, command } = change;
        const timer = { key: change.key, dueMs, order: ++this.timerOrder, command };
        this.timers.set(change.key, timer);
        this.queue.push(timer);
      }
    }
    for (const { ticket, reply } of effects.replies) {
      assert(this.open.delete(ticket), `ticket ${ticket} is answered once`);
      this.held.push({ ticket, reply, behind: this.log.length });
    }
    if (!this.lags) this.flush();
  }

  /** What is not durable yet: crashing loses it. */
  get volatileCount(): number {
    return this.log.length - this.durable;
  }

  /** Makes the log durable, all of it or up to an end of a batch, and lets replies go. */
  flush(end: number = this.log.length): void {
    let to = end;
    while (to < this.log.length && this.log[to]?.batch === this.log[to - 1]?.batch) to++;
    this.durable = Math.max(this.durable, to);
    const going = this.held.filter(({ behind }) => behind <= this.durable);
    this.held = this.held.filter(({ behind }) => behind > this.durable);
    for (const { ticket, reply } of going) {
      this.replies.set(ticket, reply);
      this.onReply(ticket, reply);
    }
  }

  /** The end of a producer's transaction reaches the partition. */
  endTransaction(producerId: number, isCommit: boolean): void {
    const marker: TransactionMarker = { producerId, producerEpoch: 0, isCommit };
    const batch = {
      baseOffset: this.log.length,
      producerId,
      producerEpoch: 0,
      isTransactional: true,
    };
    this.log.push({ record: null, marker, batch });
    this.shard.replayMarker(marker);
    if (!this.lags) this.flush();
  }

  /** Moves the clock, firing what comes due on the way. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (let next = this.queue.take(end); next !== null; next = this.queue.take(end)) {
      if (this.timers.get(next.key) !== next) continue;
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      this.timers.delete(next.key);
      this.tell(next.command);
    }
    this.nowMs = end;
  }

  /** A shard that has read the log from its start; it has not been told that it is loaded. */
  replayed(log: readonly Logged[] = this.log): GroupShard {
    const shard = new GroupShard(this.context);
    for (const { record, marker, batch } of log) {
      if (record !== null) shard.replay(record, batch);
      else if (marker !== null) shard.replayMarker(marker);
    }
    return shard;
  }

  /** The shard is lost and loaded anew, as at a crash: whoever waits gets no answer. */
  crash(): void {
    this.timers.clear();
    this.open.clear();
    this.held = [];
    this.log.length = this.durable;
    this.adopt(this.replayed());
  }

  /** Goes on with a shard that has its records, and is to be told that these are all. */
  adopt(shard: GroupShard): void {
    this.shard = shard;
    this.timers.clear();
    this.take(shard.loaded(this.moment));
  }
}

export const CLIENT = { clientId: "client", clientHost: "/127.0.0.1" };

export interface JoinOptions {
  readonly memberId?: string;
  readonly instanceId?: string | null;
  readonly version?: number;
  readonly protocolType?: string;
  readonly protocols?: readonly string[];
  readonly topics?: readonly string[];
  readonly metadata?: Uint8Array;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly clientId?: string;
}

export function join(
  groupId: string,
  options: JoinOptions = {},
): GroupCommand & { kind: "joinGroup" } {
  const metadata =
    options.metadata ??
    encodeConsumerSubscription({ topics: [...(options.topics ?? ["orders"])] }, 0);
  return {
    kind: "joinGroup",
    version: options.version ?? 3,
    clientId: options.clientId ?? CLIENT.clientId,
    clientHost: CLIENT.clientHost,
    request: {
      groupId,
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
      memberId: options.memberId ?? "",
      groupInstanceId: options.instanceId ?? null,
      protocolType: options.protocolType ?? "consumer",
      protocols: (options.protocols ?? ["range"]).map((name) => ({ name, metadata })),
      reason: null,
    },
  };
}

export interface SyncOptions {
  readonly instanceId?: string | null;
  readonly version?: number;
  readonly protocolType?: string | null;
  readonly protocolName?: string | null;
  readonly assignments?: Readonly<Record<string, Uint8Array | string>>;
}

export function sync(
  groupId: string,
  memberId: string,
  generationId: number,
  options: SyncOptions = {},
): GroupCommand & { kind: "syncGroup" } {
  return {
    kind: "syncGroup",
    version: options.version ?? 3,
    ...CLIENT,
    request: {
      groupId,
      generationId,
      memberId,
      groupInstanceId: options.instanceId ?? null,
      protocolType: options.protocolType ?? null,
      protocolName: options.protocolName ?? null,
      assignments: Object.entries(options.assignments ?? {}).map(([id, given]) => ({
        memberId: id,
        assignment: typeof given === "string" ? new TextEncoder().encode(given) : given,
      })),
    },
  };
}

export function heartbeat(
  groupId: string,
  memberId: string,
  generationId: number,
  instanceId: string | null = null,
): GroupCommand & { kind: "heartbeat" } {
  return {
    kind: "heartbeat",
    version: 3,
    ...CLIENT,
    request: { groupId, generationId, memberId, groupInstanceId: instanceId },
  };
}

export interface Leaver {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export function leave(
  groupId: string,
  leavers: readonly Leaver[],
  version = 3,
): GroupCommand & { kind: "leaveGroup" } {
  return {
    kind: "leaveGroup",
    version,
    ...CLIENT,
    request: {
      groupId,
      memberId: leavers[0]?.memberId ?? "",
      members: leavers.map((leaver) => ({ ...leaver, reason: null })),
    },
  };
}

export interface CommitOptions {
  readonly memberId?: string;
  readonly instanceId?: string | null;
  readonly generationId?: number;
  readonly version?: number;
  readonly metadata?: string;
  readonly topicId?: Uuid;
  readonly retentionTimeMs?: number;
}

export function commit(
  groupId: string,
  topic: string,
  partition: number,
  offset: number,
  options: CommitOptions = {},
): GroupCommand & { kind: "offsetCommit" } {
  return {
    kind: "offsetCommit",
    version: options.version ?? 8,
    request: {
      groupId,
      generationIdOrMemberEpoch: options.generationId ?? -1,
      memberId: options.memberId ?? "",
      groupInstanceId: options.instanceId ?? null,
      retentionTimeMs: options.retentionTimeMs ?? -1,
      topics: [topicToCommit(topic, partition, offset, options)],
    },
  };
}

function topicToCommit(
  topic: string,
  partition: number,
  offset: number,
  options: CommitOptions,
): {
  name: string;
  topicId: Uuid;
  partitions: {
    partitionIndex: number;
    committedOffset: number;
    committedLeaderEpoch: number;
    committedMetadata: string | null;
  }[];
} {
  return {
    name: topic,
    topicId: options.topicId ?? ZERO_UUID,
    partitions: [
      {
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: -1,
        committedMetadata: options.metadata ?? null,
      },
    ],
  };
}

export function txnCommit(
  groupId: string,
  producerId: number,
  topic: string,
  partition: number,
  offset: number,
  options: CommitOptions = {},
): GroupCommand & { kind: "txnOffsetCommit" } {
  return {
    kind: "txnOffsetCommit",
    version: options.version ?? 3,
    request: {
      transactionalId: `txn-${producerId}`,
      groupId,
      producerId,
      producerEpoch: 0,
      generationIdOrMemberEpoch: options.generationId ?? -1,
      memberId: options.memberId ?? "",
      groupInstanceId: options.instanceId ?? null,
      topics: [topicToCommit(topic, partition, offset, options)],
    },
  };
}

export interface FetchOptions {
  readonly topics?: Readonly<Record<string, readonly number[]>> | null;
  readonly topicIds?: readonly Uuid[];
  readonly requireStable?: boolean;
  readonly version?: number;
}

export function fetch(
  groupId: string,
  options: FetchOptions = {},
): GroupCommand & { kind: "offsetFetch" } {
  const named = options.topics ?? null;
  const topics =
    options.topicIds !== undefined
      ? options.topicIds.map((topicId) => ({ name: "", topicId, partitionIndexes: [0] }))
      : named === null
        ? null
        : Object.entries(named).map(([name, partitions]) => ({
            name,
            topicId: ZERO_UUID,
            partitionIndexes: [...partitions],
          }));
  return {
    kind: "offsetFetch",
    version: options.version ?? 8,
    requireStable: options.requireStable ?? false,
    group: { groupId, memberId: null, memberEpoch: -1, topics },
  };
}
