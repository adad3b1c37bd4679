import type {
  CoordinatorEffects,
  CoordinatorRecord,
  CoordinatorReply,
  CoordinatorWrite,
  Moment,
  TimerChange,
} from "@mantou/base";
import { assert } from "@mantou/base";
import type {
  Answered,
  GroupCommand,
  GroupReply,
  GroupRequest,
  GroupTimer,
  Replies,
} from "./commands.ts";
import type { GroupContext } from "./context.ts";
import type { Group } from "./group.ts";
import { TopicKnowledge } from "./consumer/topics.ts";
import { OffsetStore } from "./offsets/offset-store.ts";

export type GroupEffects = CoordinatorEffects<GroupCommand, GroupReply, GroupRequest>;
type GroupTimerChange = TimerChange<GroupCommand>;

const NOTHING: readonly never[] = [];
/** With its uuid, such a prefix fits a string of the protocol in any alphabet. */
const MEMBER_ID_PREFIX_MAX = 1_000;
/** What a record takes in a batch beside its key and value, at most. */
const RECORD_COST_BYTES = 32;

/**
 * What every part of the machine works on: the shard's state, the moment of the step, and the
 * step's effects so far. Lists are made when the first thing goes into them: most steps of a busy
 * shard are heartbeats, which answer and do nothing else.
 */
export class Scope {
  readonly groups = new Map<string, Group>();
  readonly offsets = new OffsetStore();
  readonly topicKnowledge = new TopicKnowledge();
  now: Moment = { wallMs: 0, monotonicMs: 0 };
  private writes: CoordinatorWrite[] | null = null;
  private timers: GroupTimerChange[] | null = null;
  private replies: CoordinatorReply<GroupReply>[] | null = null;

  constructor(readonly context: GroupContext) {}

  get settings(): GroupContext["settings"] {
    return this.context.settings;
  }

  /** What an operator counts, since the shard was loaded. */
  readonly counts = { rebalances: 0, commits: 0, expirations: 0 };

  /** A member id of a classic group; clients may call themselves anything, at any length. */
  newMemberId(prefix: string): string {
    return this.context.newMemberId(prefix.slice(0, MEMBER_ID_PREFIX_MAX));
  }

  /** Records of one step that belong together: they are one batch. */
  write(
    records: readonly CoordinatorRecord[],
    transaction: CoordinatorWrite["transaction"] = null,
  ): void {
    if (records.length === 0) return;
    (this.writes ??= []).push({ records, transaction });
  }

  /** Records that need not survive together: as many batches as they take. */
  writeApart(
    records: readonly CoordinatorRecord[],
    transaction: CoordinatorWrite["transaction"] = null,
  ): void {
    const bytesMax = this.settings.bounds.recordBytesMax;
    let from = 0;
    let bytes = 0;
    for (const [index, { key, value }] of records.entries()) {
      const more = RECORD_COST_BYTES + key.length + (value?.length ?? 0);
      if (bytes + more > bytesMax && index > from) {
        this.write(records.slice(from, index), transaction);
        from = index;
        bytes = 0;
      }
      bytes += more;
    }
    this.write(from === 0 ? records : records.slice(from), transaction);
  }

  /** @param afterMs from the step's moment; 0 or less fires at the next occasion. */
  setTimer(key: string, afterMs: number, command: GroupTimer): void {
    const dueMs = this.now.monotonicMs + Math.max(0, afterMs);
    (this.timers ??= []).push({ kind: "set", key, dueMs, command });
  }

  cancelTimer(key: string): void {
    (this.timers ??= []).push({ kind: "cancel", key });
  }

  /**
   * Answers whoever asked. @param kind the command that the ticket came with: it says which reply
   * fits. A null ticket asked for nothing.
   */
  reply<K extends Answered>(ticket: number | null, kind: K, reply: Replies[K]): void {
    assert(kind.length > 0, "a reply names its command");
    if (ticket === null) return;
    (this.replies ??= []).push({ ticket, reply });
  }

  /** The effects of the step that ends. */
  take(): GroupEffects {
    const effects: GroupEffects = {
      writes: this.writes ?? NOTHING,
      timers: this.timers ?? NOTHING,
      requests: NOTHING,
      replies: this.replies ?? NOTHING,
    };
    this.writes = null;
    this.timers = null;
    this.replies = null;
    return effects;
  }
}
