import { type LogId, assert } from "@mantou/base";
import { FETCHES_PARKED_MAX, PARKED_PARTITIONS_MAX } from "../limits.ts";
import { Deadlines } from "../deadlines.ts";
import type { FetchSet } from "./fetch-set.ts";
import type { FetchTask } from "./fetch-task.ts";

/**
 * Fetches that wait for bytes. A watermark that moves wakes the sets that watch its log; a
 * deadline wakes one task; nothing polls. Sets of sessions watch as long as they live, sets of
 * sessionless fetches only while they are parked.
 */
export class ParkingLot {
  private readonly watchers = new Map<LogId, Set<FetchSet>>();
  private readonly tasks = new Map<number, FetchTask>();
  private readonly tasksByConnection = new Map<number, Set<number>>();
  private readonly deadlines = new Deadlines();
  private nextTaskId = 0;
  /** Partitions of parked fetches that have no session. */
  private looseRows = 0;

  get parked(): number {
    return this.tasks.size;
  }

  /** The earliest deadline in monotonic milliseconds, or Infinity. */
  get nextDeadlineMs(): number {
    return this.deadlines.nextMs;
  }

  watch(logId: LogId, set: FetchSet): void {
    let sets = this.watchers.get(logId);
    if (sets === undefined) {
      sets = new Set();
      this.watchers.set(logId, sets);
    }
    sets.add(set);
  }

  unwatch(logId: LogId, set: FetchSet): void {
    const sets = this.watchers.get(logId);
    if (sets === undefined) return;
    sets.delete(set);
    if (sets.size === 0) this.watchers.delete(logId);
  }

  /** Parks a task until data or its deadline; false when the lot is full. */
  park(task: FetchTask): boolean {
    if (this.tasks.size >= FETCHES_PARKED_MAX) return false;
    const { set } = task;
    if (!set.persistent && this.looseRows + set.rows > PARKED_PARTITIONS_MAX) return false;
    assert(set.parkedTask < 0, "one task at a time waits for a set");
    const id = this.nextTaskId++;
    this.tasks.set(id, task);
    set.parkedTask = id;
    const onConnection = this.tasksByConnection.get(task.call.connection);
    if (onConnection === undefined) {
      this.tasksByConnection.set(task.call.connection, new Set([id]));
    } else onConnection.add(id);
    this.deadlines.add(task.deadlineMs, id);
    // Most tasks wake long before their deadline; their entries must not pile up.
    if (this.deadlines.size > 1024 && this.deadlines.size > this.tasks.size * 4) {
      this.deadlines.retain((waiting) => this.tasks.has(waiting));
    }
    if (!set.persistent) this.watchRows(set);
    return true;
  }

  /** Takes the task that waits for this set, if any. */
  unpark(set: FetchSet): FetchTask | undefined {
    const id = set.parkedTask;
    if (id < 0) return undefined;
    const task = this.tasks.get(id);
    this.tasks.delete(id);
    set.parkedTask = -1;
    if (!set.persistent) this.unwatchRows(set);
    if (task !== undefined) this.leaveConnection(task.call.connection, id);
    return task;
  }

  /** Appends to `woken` every parked task whose set watches this log, and takes them out. */
  wake(logId: LogId, woken: FetchTask[]): void {
    const sets = this.watchers.get(logId);
    if (sets === undefined) return;
    for (const set of sets) {
      if (set.parkedTask < 0) continue;
      const task = this.unpark(set);
      if (task !== undefined) woken.push(task);
    }
  }

  /** Appends to `due` every parked task whose deadline has passed, and takes them out. */
  expire(nowMs: number, due: FetchTask[]): void {
    for (;;) {
      const id = this.deadlines.takeDue(nowMs);
      if (id < 0) return;
      const task = this.tasks.get(id);
      if (task === undefined) continue;
      this.unpark(task.set);
      due.push(task);
    }
  }

  /** Drops what a closed connection left behind. */
  forgetConnection(connection: number, generation: number): void {
    const ids = this.tasksByConnection.get(connection);
    if (ids === undefined) return;
    for (const id of ids) {
      const task = this.tasks.get(id);
      if (task !== undefined && task.call.generation === generation) this.unpark(task.set);
    }
  }

  private leaveConnection(connection: number, id: number): void {
    const ids = this.tasksByConnection.get(connection);
    if (ids === undefined) return;
    ids.delete(id);
    if (ids.size === 0) this.tasksByConnection.delete(connection);
  }

  private watchRows(set: FetchSet): void {
    this.looseRows += set.rows;
    for (let row = 0; row < set.rows; row += 1) {
      const logId = set.logId[row] as number;
      if (logId >= 0) this.watch(logId as LogId, set);
    }
  }

  private unwatchRows(set: FetchSet): void {
    this.looseRows -= set.rows;
    for (let row = 0; row < set.rows; row += 1) {
      const logId = set.logId[row] as number;
      if (logId >= 0) this.unwatch(logId as LogId, set);
    }
  }
}
