import { assert } from "@mantou/base";
import { BatchAttribute, BatchField, putInt64 } from "@mantou/protocol";
import { AppendFlag, EventKind, Event, StoreCode } from "../layout.ts";
import { IoError, type LogSpec } from "../ports.ts";
import type { PortableArena } from "./arena.ts";
import { sealCrc } from "./batch.ts";
import type { EventQueue } from "./events.ts";
import { Histogram } from "./histogram.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import type { MemoryLog } from "./memory-log.ts";

/** A batch on its way to a log. */
interface AppendOperation {
  readonly kind: "append";
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly nowMs: number;
}

/** Anything else on one log, in its place behind the appends that came before. */
interface CallOperation {
  readonly kind: "call";
  /** Whether what was appended before must be flushed first. */
  readonly afterFlush: boolean;
  /** Whether a failed log takes it too. */
  readonly evenFailed: boolean;
  run(log: OpenLog): void;
  refuse(error: IoError): void;
}

type Operation = AppendOperation | CallOperation;

/** One open log: its data, its configuration, and what waits for it. */
export interface OpenLog {
  spec: LogSpec;
  readonly data: MemoryLog;
  failure: number;
  /** Offset that appends have been given so far; the next one must not be below. */
  assignedEnd: number;
  readonly queue: Operation[];
  wantsWritten: boolean;
}

export const logName = (topic: string, partition: number): string => `${topic}-${partition}`;

/** Runs the operations of every log: writes first, then one flush for all that were written. */
export class LogWorker {
  readonly logs = new Map<number, OpenLog>();
  private appendedBytesTotal = 0;
  private groupsTotal = 0;
  private flushesTotal = 0;
  private readonly groupBatches = new Histogram();
  private readonly groupBytes = new Histogram();
  /** Of what the next flush will make durable. */
  private unflushedBatches = 0;
  private unflushedBytes = 0;
  /** Set when a flush failed: nothing is served any more. */
  failure = StoreCode.OK as number;
  dead = false;

  private idleWaiters: (() => void)[] = [];
  private readonly busy = new Set<OpenLog>();
  private readonly unflushed = new Set<OpenLog>();
  private scheduled = false;
  private flushScheduled = false;

  constructor(
    private readonly arena: PortableArena,
    private readonly events: EventQueue,
    private readonly disk: MemoryDisk,
    private readonly soon: (task: () => void) => void,
    /** Called after every write step, to look at the free space. */
    private readonly onWritten: () => void,
  ) {}

  append(id: number, operation: Omit<AppendOperation, "kind">): void {
    this.arena.retain(operation.offset);
    const log = this.logs.get(id);
    if (log === undefined || log.failure !== StoreCode.OK) {
      this.arena.release(operation.offset);
      this.report(id, log?.failure ?? StoreCode.CLOSED, log?.data.endOffset ?? 0);
      return;
    }
    assert(operation.baseOffset >= log.assignedEnd, `log ${id}: base offset goes back`);
    const delta = this.arena.view.getInt32(operation.offset + BatchField.lastOffsetDelta);
    log.assignedEnd = operation.baseOffset + delta + 1;
    log.queue.push({ kind: "append", ...operation });
    this.wake(log);
  }

  /** Queues a call behind everything that was asked of this log before. */
  call(log: OpenLog, operation: Omit<CallOperation, "kind">): void {
    log.queue.push({ kind: "call", ...operation });
    this.wake(log);
  }

  /** Looks again at logs that wait for a flush. */
  resume(): void {
    if (this.unflushed.size > 0) this.scheduleFlush();
  }

  /** Runs `task` once nothing is left to be written or flushed. */
  whenIdle(task: () => void): void {
    this.idleWaiters.push(task);
    this.soon(() => this.lookIdle());
  }

  private lookIdle(): void {
    if (!this.dead && (this.busy.size > 0 || this.unflushed.size > 0)) return;
    const waiters = this.idleWaiters.splice(0);
    for (const waiter of waiters) waiter();
  }

  /** The process is gone: whoever waits is refused, nothing is told any more. */
  die(): void {
    this.dead = true;
    for (const log of this.logs.values()) {
      for (const operation of log.queue.splice(0)) {
        if (operation.kind === "append") this.arena.release(operation.offset);
        else operation.refuse(new IoError("CLOSED", "the store has crashed"));
      }
    }
    this.logs.clear();
    this.lookIdle();
  }

  /** Takes a log offline: its queue is refused. */
  fail(log: OpenLog, code: number): void {
    log.failure = code;
    this.busy.delete(log);
    this.unflushed.delete(log);
    const queue = log.queue.splice(0);
    this.report(log.spec.logId, code, log.data.endOffset);
    for (const operation of queue) {
      if (operation.kind === "append") this.arena.release(operation.offset);
      else if (operation.evenFailed) operation.run(log);
      else operation.refuse(new IoError("OFFLINE", `log ${log.spec.logId} has failed`));
    }
  }

  private wake(log: OpenLog): void {
    this.busy.add(log);
    if (this.scheduled || this.dead) return;
    this.scheduled = true;
    this.soon(() => {
      this.scheduled = false;
      if (!this.dead) this.writeStep();
    });
  }

  stats() {
    return {
      appendedBytesTotal: this.appendedBytesTotal,
      groupsTotal: this.groupsTotal,
      flushesTotal: this.flushesTotal,
      // Memory takes no time, and this engine has no clock to find out.
      appendMicros: new Histogram(),
      flushMicros: new Histogram(),
      groupBatches: this.groupBatches,
      groupBytes: this.groupBytes,
      filesOpen: 0,
      freeBytes: this.disk.freeBytes,
      totalBytes: this.disk.capacityBytes,
    };
  }

  private writeStep(): void {
    for (const log of [...this.busy]) this.work(log);
    this.onWritten();
    if (this.unflushed.size > 0) this.scheduleFlush();
    this.lookIdle();
  }

  /** Runs a log's operations until one has to wait for a flush. */
  private work(log: OpenLog): void {
    while (log.queue.length > 0) {
      const operation = log.queue[0] as Operation;
      if (operation.kind === "append") {
        log.queue.shift();
        if (!this.write(log, operation)) return;
        continue;
      }
      this.announce(log);
      if (operation.afterFlush && this.unflushed.has(log)) return;
      log.queue.shift();
      operation.run(log);
    }
    this.announce(log);
    this.busy.delete(log);
  }

  private write(log: OpenLog, operation: AppendOperation): boolean {
    const { offset, length, flags, nowMs } = operation;
    if (this.disk.failWrites || this.disk.freeBytes < length) {
      this.arena.release(offset);
      this.announce(log);
      this.fail(log, StoreCode.WRITE_FAILED);
      return false;
    }
    const bytes = this.arena.bytes.slice(offset, offset + length);
    this.arena.release(offset);
    const view = new DataView(bytes.buffer);
    putInt64(view, BatchField.baseOffset, operation.baseOffset);
    view.setInt32(BatchField.partitionLeaderEpoch, operation.leaderEpoch);
    if ((flags & AppendFlag.LOG_APPEND_TIME) !== 0) {
      view.setInt16(
        BatchField.attributes,
        view.getInt16(BatchField.attributes) | BatchAttribute.LOG_APPEND_TIME,
      );
      putInt64(view, BatchField.maxTimestamp, nowMs);
      sealCrc(bytes, view, 0, length);
    }
    log.data.append(bytes, log.spec.config, nowMs);
    this.appendedBytesTotal += length;
    if ((flags & AppendFlag.NOTIFY_WRITTEN) !== 0) log.wantsWritten = true;
    this.unflushed.add(log);
    if (log.spec.config.durability === "fsync") {
      this.unflushedBatches += 1;
      this.unflushedBytes += length;
    }
    return true;
  }

  /** WRITTEN for what was written since the last time; DURABLE where that needs no flush. */
  private announce(log: OpenLog): void {
    if (log.wantsWritten) {
      log.wantsWritten = false;
      this.reportOffset(EventKind.WRITTEN, log);
    }
    if (log.spec.config.durability === "page-cache" && this.unflushed.delete(log)) {
      this.reportOffset(EventKind.DURABLE, log);
    }
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.dead || this.disk.holdsFlushes) return;
    this.flushScheduled = true;
    this.soon(() => {
      this.flushScheduled = false;
      if (!this.dead && !this.disk.holdsFlushes) this.flushStep();
    });
  }

  private flushStep(): void {
    if (this.disk.failFlushes) {
      this.failDirectory();
      return;
    }
    const logs = [...this.unflushed];
    this.unflushed.clear();
    if (logs.length > 0) this.countGroup();
    for (const log of logs) {
      this.flushesTotal += 1;
      log.data.syncedOffset = log.data.endOffset;
      this.reportOffset(EventKind.DURABLE, log);
    }
    for (const log of logs) if (log.queue.length > 0) this.wake(log);
    this.lookIdle();
  }

  private countGroup(): void {
    this.groupsTotal += 1;
    this.groupBatches.observe(this.unflushedBatches);
    this.groupBytes.observe(this.unflushedBytes);
    this.unflushedBatches = 0;
    this.unflushedBytes = 0;
  }

  private failDirectory(): void {
    this.failure = StoreCode.SYNC_FAILED;
    const at = this.events.push(EventKind.STORE_STATE);
    this.events.setWord(at, Event.code, StoreCode.SYNC_FAILED);
    for (const log of this.logs.values()) {
      if (log.failure === StoreCode.OK) this.fail(log, StoreCode.SYNC_FAILED);
    }
    this.lookIdle();
  }

  private report(id: number, code: number, endOffset: number): void {
    const at = this.events.push(EventKind.LOG_FAILED);
    this.events.setWord(at, Event.logId, id);
    this.events.setWord(at, Event.code, code);
    this.events.setDouble(at, Event.offsetF64, endOffset);
  }

  private reportOffset(kind: number, log: OpenLog): void {
    const at = this.events.push(kind);
    this.events.setWord(at, Event.logId, log.spec.logId);
    this.events.setDouble(at, Event.offsetF64, log.data.endOffset);
  }
}
