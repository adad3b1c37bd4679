import type {
  CoordinatorEffects,
  CoordinatorShard,
  LogId,
  Moment,
  TransactionMarker,
} from "@mantou/base";
import { AssertionError, assert } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { COORDINATOR_TICKETS_MAX } from "../limits.ts";
import type { CoordinatorFigures } from "../metrics/figures.ts";
import { SlotList } from "../slot-list.ts";
import type { CoordinatorDriverParts, CoordinatorKind, Named, Settle } from "./coordinator-kind.ts";
import { ShardLoads } from "./shard-loads.ts";
import { ShardOutput } from "./shard-output.ts";
import type { RawBatch } from "./shard-slot.ts";
import { ShardSlot } from "./shard-slot.ts";
import { ShardTimers } from "./shard-timers.ts";

/** Timers that one tick fires at most; more wait for the next, so that no tick is long. */
const TIMERS_PER_TICK = 512;

interface Ticket<Command, Reply, Request> {
  readonly slot: ShardSlot<Command, Reply, Request>;
  readonly settle: Settle<Reply>;
}

/**
 * Runs the shards of one internal topic: loads them where this node leads, hands them commands,
 * appends what they write, keeps their timers, lets replies go once what they rest on is durable.
 *
 * A failed write or a lost leadership drops the shard: whoever waits is refused, and it is loaded
 * anew when this node leads a sound log again.
 */
export class CoordinatorDriver<Command extends Named, Reply, Request> {
  private readonly slots: (ShardSlot<Command, Reply, Request> | undefined)[] = [];
  private readonly tickets = new SlotList<Ticket<Command, Reply, Request>>();
  private readonly timers = new ShardTimers<ShardSlot<Command, Reply, Request>, Command>();
  private readonly output: ShardOutput<Command, Reply, Request>;
  private readonly loads: ShardLoads<
    ShardSlot<Command, Reply, Request>,
    CoordinatorShard<Command, Reply, Request>
  >;
  private stopped = false;
  private readonly commands = new Map<string, number>();

  constructor(
    readonly kind: CoordinatorKind<Command, Reply, Request>,
    private readonly parts: CoordinatorDriverParts,
  ) {
    const { ambient, logs, partitions } = parts;
    this.loads = new ShardLoads({
      ...{ ambient, logs, partitions, topic: kind.topic },
      newShard: (slot) => kind.newShard(slot.partition, slot.leaderEpoch),
      loaded: (slot, shard) => this.activate(slot, shard),
      failed: (slot) => this.restart(slot, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    });
    this.output = new ShardOutput({
      topic: kind.topic,
      driver: parts,
      reply: (ticket, reply) => this.tickets.remove(ticket).settle(ErrorCode.NONE, reply),
      request: (request, partition) => kind.request(request, partition),
      failed: (slot) => this.drop(slot, ErrorCode.COORDINATOR_NOT_AVAILABLE),
      impossible: (slot) => this.restart(slot, ErrorCode.UNKNOWN_SERVER_ERROR),
    });
  }

  get nextDeadlineMs(): number {
    return this.stopped ? Infinity : this.timers.nextMs;
  }

  /** NONE: the shard takes commands. Else what a client of it is told. */
  availability(partition: number): ErrorCode {
    const slot = this.slots[partition];
    if (this.stopped) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    if (slot === undefined) return ErrorCode.NOT_COORDINATOR;
    return slot.state === "loading" ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : ErrorCode.NONE;
  }

  /** Shards that have state. */
  shards(): CoordinatorShard<Command, Reply, Request>[] {
    return this.slots.flatMap((slot) => slot?.shard ?? []);
  }

  figures(): CoordinatorFigures {
    return {
      topic: this.kind.topic,
      active: this.activePartitions().length,
      loading: this.slots.filter((slot) => slot?.state === "loading").length,
      waiting: this.tickets.size,
      timers: this.timers.size,
      batches: this.output.batches,
      commands: this.commands,
    };
  }

  /** Partitions whose shard has state; the others hold nothing. */
  activePartitions(): number[] {
    return this.slots.flatMap((slot, partition) => (slot?.state === "active" ? [partition] : []));
  }

  /**
   * Asks a shard. `settle` is called once, in this call or later; never when the broker stops
   * first.
   */
  ask(partition: number, command: Command, settle: Settle<Reply>): void {
    const errorCode = this.availability(partition);
    if (errorCode !== ErrorCode.NONE) {
      settle(errorCode, null);
      return;
    }
    if (this.tickets.size >= COORDINATOR_TICKETS_MAX) {
      settle(ErrorCode.COORDINATOR_NOT_AVAILABLE, null);
      return;
    }
    const slot = this.activated(this.slots[partition] as ShardSlot<Command, Reply, Request>);
    const ticket = this.tickets.add({ slot, settle });
    this.step(slot, ticket, command);
  }

  /** A command of the broker itself, to which nobody waits for an answer. */
  tell(partition: number, command: Command): void {
    const slot = this.slots[partition];
    if (slot === undefined || this.stopped) return;
    if (slot.state === "empty" || slot.state === "active") {
      this.step(this.activated(slot), null, command);
    }
  }

  /** To every shard that has state. */
  tellAll(command: Command): void {
    for (const slot of this.slots) {
      if (slot?.state === "active") this.step(slot, null, command);
    }
  }

  /**
   * Ends a client's transaction in the partition: appends the marker's control batch behind all
   * that the shard has written, and lets the shard know. `settle` is told when it is committed.
   */
  appendMarker(
    partition: number,
    batch: RawBatch,
    marker: TransactionMarker,
    settle: (errorCode: ErrorCode) => void,
  ): void {
    const errorCode = this.availability(partition);
    if (errorCode !== ErrorCode.NONE) {
      settle(errorCode);
      return;
    }
    const slot = this.activated(this.slots[partition] as ShardSlot<Command, Reply, Request>);
    slot.shard?.replayMarker(marker);
    this.output.takeBatch(slot, batch, this.tickets.add({ slot, settle }));
  }

  /**
   * This node leads the partition: its shard is loaded. Called again with a higher epoch while the
   * shard is here it only notes the epoch.
   */
  lead(partition: number, logId: LogId): void {
    const { partitions } = this.parts;
    const leaderEpoch = partitions.leaderEpoch(logId);
    const known = this.slots[partition];
    if (known !== undefined && known.logId === logId) {
      known.leaderEpoch = leaderEpoch;
      return;
    }
    if (known !== undefined) this.drop(known, ErrorCode.NOT_COORDINATOR);
    const isEmpty = partitions.logStartOffset(logId) === partitions.logEndOffset(logId);
    const slot = new ShardSlot<Command, Reply, Request>(partition, logId, leaderEpoch, isEmpty);
    this.slots[partition] = slot;
    if (!isEmpty) this.loads.add(slot);
  }

  /** The high watermark of a log has moved. */
  committed(): void {
    this.loads.committed();
  }

  /** This node no longer leads the partition, or its log has failed: whoever waits is refused. */
  unload(partition: number, errorCode: ErrorCode = ErrorCode.NOT_COORDINATOR): void {
    const slot = this.slots[partition];
    if (slot !== undefined) this.drop(slot, errorCode);
  }

  /** The log of a partition was lost here, whichever partition it is. */
  logLost(logId: LogId, errorCode: ErrorCode): void {
    const slot = this.slots.find((each) => each?.logId === logId);
    if (slot !== undefined) this.drop(slot, errorCode);
  }

  /** Fires timers, a bounded number of them. */
  expire(nowMs: number): void {
    for (let fired = 0; fired < TIMERS_PER_TICK && !this.stopped; fired += 1) {
      const timer = this.timers.takeDue(nowMs);
      if (timer === null) return;
      this.step(timer.owner, null, timer.command);
    }
  }

  /** Ends the tick. True: there was something, which may lead to more. */
  flush(): boolean {
    return this.output.flush();
  }

  /** Nothing is decided any more. Who waits for a barrier is not told: its connection closes. */
  stop(): void {
    this.stopped = true;
    this.loads.stop();
  }

  checkInvariants(): void {
    for (const slot of this.slots) {
      slot?.shard?.checkInvariants();
      if (slot === undefined) continue;
      assert(slot.durable <= slot.issued, "more is durable than was written");
      assert((slot.state === "active") === (slot.shard !== null), "an active slot has a shard");
    }
  }

  private now(): Moment {
    const { clock } = this.parts.ambient;
    return { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
  }

  /** Makes the shard of a partition that holds nothing yet. */
  private activated(slot: ShardSlot<Command, Reply, Request>): ShardSlot<Command, Reply, Request> {
    if (slot.state === "empty") {
      this.activate(slot, this.kind.newShard(slot.partition, slot.leaderEpoch));
    }
    return slot;
  }

  private activate(
    slot: ShardSlot<Command, Reply, Request>,
    shard: CoordinatorShard<Command, Reply, Request>,
  ): void {
    slot.shard = shard;
    slot.state = "active";
    this.carryOut(slot, shard.loaded(this.now()));
  }

  private step(
    slot: ShardSlot<Command, Reply, Request>,
    ticket: number | null,
    command: Command,
  ): void {
    const { shard } = slot;
    if (shard === null) return;
    this.commands.set(command.kind, (this.commands.get(command.kind) ?? 0) + 1);
    let effects: CoordinatorEffects<Command, Reply, Request>;
    try {
      effects = shard.step(ticket, command, this.now());
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      // The step may have changed half of its state: what is on disk is known to be whole.
      this.parts.ambient.logger.error("coordinator_step_failed", {
        ...{ topic: this.kind.topic, partition: slot.partition },
        reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      this.restart(slot, ErrorCode.UNKNOWN_SERVER_ERROR);
      return;
    }
    this.carryOut(slot, effects);
  }

  private carryOut(
    slot: ShardSlot<Command, Reply, Request>,
    effects: CoordinatorEffects<Command, Reply, Request>,
  ): void {
    for (const change of effects.timers) this.timers.change(slot, change);
    this.output.take(slot, effects);
  }

  private drop(slot: ShardSlot<Command, Reply, Request>, errorCode: ErrorCode): void {
    if (slot.state === "dropped") return;
    slot.state = "dropped";
    slot.shard = null;
    slot.pending = [];
    if (this.slots[slot.partition] === slot) this.slots[slot.partition] = undefined;
    this.timers.forget(slot);
    for (const ticket of this.tickets.slotsOf((each) => each.slot === slot)) {
      this.tickets.remove(ticket).settle(errorCode, null);
    }
    this.parts.flushSoon();
  }

  /** Forgets what is in memory and takes what is on disk, where this node still leads. */
  private restart(slot: ShardSlot<Command, Reply, Request>, errorCode: ErrorCode): void {
    if (slot.state === "dropped") return;
    this.drop(slot, errorCode);
    const { partition, logId } = slot;
    this.loads.later(partition, () => {
      const { partitions } = this.parts;
      const isSound = partitions.isLeader(logId) && !partitions.isFailed(logId);
      if (this.slots[partition] === undefined && isSound) this.lead(partition, logId);
    });
  }
}
