import type { CoordinatorRecord, Moment } from "@mantou/base";
import type {
  TransactionCommand,
  TransactionEffects,
  TransactionOptions,
  TransactionReply,
  TransactionRequest,
} from "../src/index.ts";
import { TransactionShard, defaultTransactionOptions } from "../src/index.ts";

type Outgoing =
  | { readonly ticket: number; readonly reply: TransactionReply }
  | { readonly request: TransactionRequest };

/** One shard with a log, as a driver runs it; the log is durable as far as `flush` was called. */
export class ShardHost {
  nowMs = 1_000_000;
  shard: TransactionShard;
  coordinatorEpoch = 0;
  readonly log: CoordinatorRecord[] = [];
  readonly requests: TransactionRequest[] = [];
  readonly timers = new Map<string, { readonly dueMs: number; command: TransactionCommand }>();
  private durable = 0;
  private nextTicket = 0;
  private waiting: { readonly after: number; readonly out: Outgoing }[] = [];
  private settles = new Map<number, (reply: TransactionReply | null) => void>();

  constructor(readonly options: TransactionOptions = defaultTransactionOptions) {
    this.shard = new TransactionShard(options, 0);
    this.carryOut(this.shard.loaded(this.now));
  }

  get now(): Moment {
    return { wallMs: this.nowMs, monotonicMs: this.nowMs };
  }

  /** `settle` gets the reply once it is durable; null when the shard was lost before. */
  ask(command: TransactionCommand, settle: (reply: TransactionReply | null) => void): void {
    const ticket = this.nextTicket++;
    this.settles.set(ticket, settle);
    this.carryOut(this.shard.step(ticket, command, this.now));
  }

  tell(command: TransactionCommand): void {
    this.carryOut(this.shard.step(null, command, this.now));
  }

  /** Everything written so far is durable. */
  flush(): void {
    this.durable = this.log.length;
    const ready = this.waiting;
    this.waiting = [];
    for (const { out } of ready) this.letGo(out);
  }

  fireTimers(): void {
    for (const [key, { command, dueMs }] of [...this.timers]) {
      if (dueMs > this.nowMs) continue;
      this.timers.delete(key);
      this.tell(command);
    }
  }

  /** What is not durable is lost, and all that is only in memory; the log is read again. */
  crash(): void {
    this.log.length = this.durable;
    this.waiting = [];
    this.requests.length = 0;
    this.timers.clear();
    const lost = [...this.settles.values()];
    this.settles.clear();
    this.coordinatorEpoch += 1;
    this.shard = new TransactionShard(this.options, this.coordinatorEpoch);
    const batch = { baseOffset: 0, producerId: -1, producerEpoch: -1, isTransactional: false };
    for (const record of this.log) this.shard.replay(record, batch);
    this.carryOut(this.shard.loaded(this.now));
    for (const settle of lost) settle(null);
  }

  private carryOut(effects: TransactionEffects): void {
    for (const { records } of effects.writes) this.log.push(...records);
    for (const change of effects.timers) {
      if (change.kind === "set") this.timers.set(change.key, change);
      else this.timers.delete(change.key);
    }
    for (const request of effects.requests) this.hold({ request });
    for (const reply of effects.replies) this.hold(reply);
    this.shard.checkInvariants();
  }

  private hold(out: Outgoing): void {
    if (this.durable === this.log.length) this.letGo(out);
    else this.waiting.push({ after: this.log.length, out });
  }

  private letGo(out: Outgoing): void {
    if ("request" in out) {
      this.requests.push(out.request);
      return;
    }
    const settle = this.settles.get(out.ticket);
    if (settle === undefined) throw new Error(`ticket ${out.ticket} was answered twice`);
    this.settles.delete(out.ticket);
    settle(out.reply);
  }
}
