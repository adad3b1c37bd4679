import type { LogId } from "@mantou/base";
import { EVENT_WORDS, Event, EventKind, StoreCode, Table } from "@mantou/io";
import type { Frame } from "./dispatch.ts";
import { EVENTS_PER_DRAIN, FRAMES_PER_LOOK } from "./limits.ts";
import type { TickParts } from "./tick-parts.ts";
import { Turns } from "./turns.ts";

/** Deadlines are checked this often while a produce request waits. */
const PRODUCE_SWEEP_MS = 100;

/**
 * The broker's one loop. A bell starts a tick; a tick drains events, lets the stages finish what
 * they collected, and hands over one plan. Nothing in it waits, and none takes longer than a turn:
 * what is left then has the next one, after timers and everybody else who wants the loop.
 */
export class Tick {
  private readonly events = new Table(EVENT_WORDS, EVENTS_PER_DRAIN);
  /** Rows of `events`, and the first one that was not taken yet: a turn may end between them. */
  private rows = 0;
  private nextRow = 0;
  private readonly turns: Turns;
  private cancelTimer: (() => void) | null = null;
  private timerDueMs = Infinity;
  private flushScheduled = false;
  private stopped = false;
  /** Frames that came before the broker was ready; null once it serves. */
  private early: Frame[] | null = [];
  private whenIdle: (() => void) | null = null;
  /** Requests that come now are not taken: their connections are about to be closed. */
  private draining = false;

  constructor(private readonly parts: TickParts) {
    const { ambient, io } = parts;
    const take = (nowMs: number, lateMs: number): boolean => this.run(nowMs, lateMs);
    this.turns = new Turns({ io, clock: ambient.clock, take });
  }

  /** Takes the bell of the engine. */
  start(): void {
    this.parts.io.onEvents(() => this.turns.bell());
    // Whatever happened before the bell had an owner is in the ring already.
    this.turns.bell();
  }

  /** The broker is ready: takes the frames that came early, and every later one at once. */
  serve(): void {
    const early = this.early ?? [];
    this.early = null;
    for (const frame of early) this.parts.dispatch.take(frame);
    this.parts.produce.flush();
    this.finish();
  }

  /**
   * Takes no more requests; resolves when nothing that was accepted waits for the controller or
   * for a disk any more, or after `timeoutMs`.
   */
  drain(timeoutMs: number): Promise<void> {
    this.draining = true;
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.parts.ambient.timers.after(timeoutMs, () => {
        this.whenIdle = null;
        resolve();
      });
      this.whenIdle = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Hands over what is answered and then nothing more: whoever still waits is not told. */
  stop(): void {
    this.guard(() => this.finish());
    this.stopped = true;
    this.turns.stop();
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  /** Hands over answers that were made outside of a tick, once per microtask round. */
  flushSoon(): void {
    if (this.flushScheduled || this.stopped) return;
    this.flushScheduled = true;
    queueMicrotask(() => {
      this.flushScheduled = false;
      this.guard(() => this.finish());
    });
  }

  private get isIdle(): boolean {
    const { coordinators, dispatch, produce } = this.parts;
    return produce.waiting === 0 && coordinators.writing === 0 && dispatch.waiting === 0;
  }

  /** One tick. Returns whether it ended because it was late. */
  private run(nowMs: number, lateMs: number): boolean {
    let isOver = false;
    this.guard(() => {
      this.parts.metrics?.began(nowMs);
      isOver = this.takeUntil(lateMs);
      this.finish();
    });
    return isOver;
  }

  /** Takes events until there are no more, or until it is that late. Returns whether it is. */
  private takeUntil(lateMs: number): boolean {
    const { clock } = this.parts.ambient;
    let isOver = false;
    // What the last turn left over, first; the bell that rang meanwhile was not heeded.
    for (let isLast = false; !isOver && !isLast; this.parts.produce.flush()) {
      if (this.nextRow === this.rows) {
        this.rows = this.parts.io.drain(this.events);
        this.nextRow = 0;
        isLast = this.rows < this.events.capacity;
      }
      while (this.nextRow < this.rows && !isOver) {
        const row = this.nextRow++;
        this.take(row);
        // Other events than frames may settle any number of requests.
        const isLong = this.events.word(row, Event.kind) !== EventKind.FRAME;
        if (isLong || this.nextRow % FRAMES_PER_LOOK === 0) isOver = clock.monotonicMs() > lateMs;
      }
    }
    return isOver;
  }

  /** What fails here is about our own state: nothing that follows could be trusted. */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.parts.ambient.fatal("the broker's loop failed", error);
    }
  }

  private finish(): void {
    // A coordinator's answer may have let requests go on that were held outside of a tick.
    this.parts.produce.flush();
    this.parts.coordinators.flush();
    const { epochs, lost } = this.parts.partitions.take();
    if (epochs.length > 0) this.parts.epochsMoved(epochs);
    for (const loss of lost) {
      this.parts.ambient.logger.error("committed_records_lost", {
        ...loss,
        why: "recovery did not find records that were committed: the disk has lost them",
        todo: "check the disk; restore the partition from a copy where there is one",
      });
    }
    this.parts.plan.flush();
    const nowMs = this.parts.ambient.clock.monotonicMs();
    this.turns.ended(nowMs);
    this.parts.metrics?.ended(nowMs);
    this.armTimer(nowMs);
    if (this.whenIdle !== null && this.isIdle) {
      this.whenIdle();
      this.whenIdle = null;
    }
  }

  private take(row: number): void {
    const { events, parts } = this;
    switch (events.word(row, Event.kind)) {
      case EventKind.FRAME:
        this.frame(row);
        return;
      case EventKind.WRITTEN:
        this.written(events.word(row, Event.logId) as LogId, events.double(row, Event.offsetF64));
        return;
      case EventKind.DURABLE:
        this.durable(events.word(row, Event.logId) as LogId, events.double(row, Event.offsetF64));
        return;
      case EventKind.LOCATED:
        parts.fetch.located(
          events.word(row, Event.tag),
          events.word(row, Event.code),
          events.word(row, Event.pin),
          events.double(row, Event.offsetF64),
          events.word(row, Event.length),
        );
        return;
      case EventKind.OPENED:
        parts.connections.opened(
          events.word(row, Event.connection),
          events.word(row, Event.generation),
          events.word(row, Event.listenerId),
        );
        return;
      case EventKind.CLOSED:
        this.closed(events.word(row, Event.connection), events.word(row, Event.generation));
        return;
      case EventKind.LOG_FAILED:
        this.logFailed(row);
        return;
      case EventKind.STORE_STATE:
        parts.failures.storeState(events.word(row, Event.code));
        return;
      default:
        // CONNECTED and CONNECT_FAILED: this broker opens no connections yet.
        return;
    }
  }

  private frame(row: number): void {
    const { events, parts } = this;
    const slot = events.word(row, Event.connection);
    const generation = events.word(row, Event.generation);
    const offset = events.word(row, Event.frameOffset);
    const connection = parts.connections.get(slot, generation);
    if (connection === undefined || this.draining) {
      parts.plan.release(offset);
      return;
    }
    const api = events.word(row, Event.api);
    const frame: Frame = {
      connection: slot,
      generation,
      sequence: events.word(row, Event.sequence),
      listenerId: connection.listenerId,
      offset,
      length: events.word(row, Event.frameLength),
      apiKey: api >> 16,
      version: (api << 16) >> 16,
      correlationId: events.signed(row, Event.correlationId),
    };
    if (this.early === null) parts.dispatch.take(frame);
    // Bounded by the arena: a connection is not read beyond its quota.
    else this.early.push(frame);
  }

  private written(logId: LogId, end: number): void {
    if (logId === this.parts.metadata.logId) return;
    if (!this.parts.partitions.written(logId, end)) return;
    this.parts.produce.written(logId, end);
  }

  private durable(logId: LogId, end: number): void {
    const { parts } = this;
    if (logId === parts.metadata.logId) {
      parts.metadata.durable(end);
      return;
    }
    // Its topic may have been deleted while the disk worked.
    if (!parts.partitions.isOpen(logId)) return;
    const before = parts.partitions.highWatermark(logId);
    if (!parts.partitions.durable(logId, end)) return;
    parts.produce.written(logId, end);
    const highWatermark = parts.partitions.highWatermark(logId);
    if (highWatermark <= before) return;
    parts.produce.committed(logId, highWatermark);
    parts.fetch.watermarkMoved(logId);
    parts.coordinators.committed(logId, highWatermark);
  }

  private closed(connection: number, generation: number): void {
    this.parts.connections.closed(connection, generation);
    this.parts.fetch.forgetConnection(connection, generation);
  }

  private logFailed(row: number): void {
    const { events, parts } = this;
    const logId = events.word(row, Event.logId) as LogId;
    const code = events.word(row, Event.code);
    if (logId === parts.metadata.logId && code !== StoreCode.OK) {
      parts.metadata.failed(code);
      return;
    }
    parts.failures.logFailed(logId, code, events.double(row, Event.offsetF64));
  }

  /** One timer for the nearest deadline of all that waits. */
  private armTimer(nowMs: number): void {
    if (this.stopped) return;
    const { ambient, coordinators, nextFetchDeadlineMs, produce } = this.parts;
    const produceDueMs = produce.waiting > 0 ? nowMs + PRODUCE_SWEEP_MS : Infinity;
    const dueMs = Math.min(nextFetchDeadlineMs(), produceDueMs, coordinators.nextDeadlineMs);
    // A timer that fires a little early re-arms itself; only an earlier deadline needs a new one.
    if (dueMs >= this.timerDueMs) return;
    this.cancelTimer?.();
    this.timerDueMs = dueMs;
    this.cancelTimer = ambient.timers.after(Math.max(dueMs - nowMs, 0), () => this.timeout());
  }

  private timeout(): void {
    this.cancelTimer = null;
    this.timerDueMs = Infinity;
    const nowMs = this.parts.ambient.clock.monotonicMs();
    this.guard(() => {
      this.parts.produce.expire(nowMs);
      this.parts.fetch.expire(nowMs);
      this.parts.coordinators.expire(nowMs);
      this.finish();
    });
  }
}
