import type { LogId } from "@mantou/base";
import { assert } from "@mantou/base";
import { Deadlines } from "../deadlines.ts";
import { FETCHES_PARKED_MAX, PARKED_PARTITIONS_MAX } from "../limits.ts";
import { SlotList } from "../slot-list.ts";
import type { FetchSet } from "./fetch-set.ts";
import type { FetchTask } from "./fetch-task.ts";

/** Who watches a log: rows of sets, in no order. A row knows its place here (`watchAt`). */
interface Watchers {
  readonly sets: FetchSet[];
  readonly rows: number[];
}

/** A task's name: its slot, and above these bits a count that tells uses of the slot apart. */
const SLOT_BITS = 20;
const SLOTS_MAX = 2 ** SLOT_BITS;

/**
 * Fetches that wait for bytes. A watermark that moves wakes the sets that watch its log; a
 * deadline wakes one task; nothing polls. Sets of sessions watch as long as they live, sets of
 * sessionless fetches only while they are parked. Arrays and slots rather than Maps and Sets, for
 * the reason that stands at `Waiters`.
 */
export class ParkingLot {
  private readonly watchers: (Watchers | undefined)[] = [];
  private readonly tasks = new SlotList<FetchTask>();
  private readonly idOfSlot: number[] = [];
  /** Slots of parked tasks by connection. */
  private readonly slotsOf: (number[] | undefined)[] = [];
  private readonly deadlines = new Deadlines();
  private parkedTotal = 0;
  /** Rows that are watched for sessionless fetches. */
  private looseRows = 0;

  constructor() {
    assert(FETCHES_PARKED_MAX < SLOTS_MAX, "every parked fetch has a slot");
  }

  get parked(): number {
    return this.tasks.size;
  }

  /** The earliest deadline in monotonic milliseconds, or Infinity. */
  get nextDeadlineMs(): number {
    return this.deadlines.nextMs;
  }

  watch(logId: LogId, set: FetchSet, row: number): void {
    let watchers = this.watchers[logId];
    if (watchers === undefined) {
      watchers = { sets: [], rows: [] };
      this.watchers[logId] = watchers;
    }
    set.watchAt[row] = watchers.sets.length;
    watchers.sets.push(set);
    watchers.rows.push(row);
  }

  unwatch(logId: LogId, set: FetchSet, row: number): void {
    const at = set.watchAt[row] as number;
    const watchers = this.watchers[logId];
    if (watchers === undefined || at < 0) return;
    assert(watchers.sets[at] === set && watchers.rows[at] === row, "a watcher is not in its place");
    set.watchAt[row] = -1;
    const lastSet = watchers.sets.pop() as FetchSet;
    const lastRow = watchers.rows.pop() as number;
    if (at === watchers.sets.length) return;
    watchers.sets[at] = lastSet;
    watchers.rows[at] = lastRow;
    lastSet.watchAt[lastRow] = at;
  }

  /** A set has moved a row: its place here names the new one. */
  rowMoved(logId: LogId, set: FetchSet, row: number): void {
    const at = set.watchAt[row] as number;
    const watchers = this.watchers[logId];
    if (at >= 0 && watchers !== undefined) watchers.rows[at] = row;
  }

  /** Parks a task until data or its deadline; false when the lot is full. */
  park(task: FetchTask): boolean {
    if (this.tasks.size >= FETCHES_PARKED_MAX) return false;
    const { set } = task;
    const rows = set.persistent ? 0 : set.rows;
    if (this.looseRows + rows > PARKED_PARTITIONS_MAX) return false;
    assert(set.parkedTask < 0, "one task at a time waits for a set");
    this.looseRows += rows;
    const slot = this.tasks.add(task);
    const id = this.parkedTotal++ * SLOTS_MAX + slot;
    this.idOfSlot[slot] = id;
    set.parkedTask = slot;
    const { connection } = task.call;
    const slots = this.slotsOf[connection];
    if (slots === undefined) this.slotsOf[connection] = [slot];
    else slots.push(slot);
    this.deadlines.add(task.deadlineMs, id);
    // Most tasks wake long before their deadline; their entries must not pile up.
    if (this.deadlines.size > 1024 && this.deadlines.size > this.tasks.size * 4) {
      this.deadlines.retain((waiting) => this.idOfSlot[waiting % SLOTS_MAX] === waiting);
    }
    if (!set.persistent) this.watchRows(set);
    return true;
  }

  /** Takes the task that waits for this set, if any. */
  unpark(set: FetchSet): FetchTask | undefined {
    const slot = set.parkedTask;
    if (slot < 0) return undefined;
    const task = this.tasks.remove(slot);
    this.idOfSlot[slot] = -1;
    set.parkedTask = -1;
    if (!set.persistent) {
      this.looseRows -= set.rows;
      this.unwatchRows(set);
    }
    this.leaveConnection(task.call.connection, slot);
    return task;
  }

  /** Appends to `woken` every parked task whose set watches this log, and takes them out. */
  wake(logId: LogId, woken: FetchTask[]): void {
    const watchers = this.watchers[logId];
    if (watchers === undefined) return;
    // From the end: taking a sessionless set out puts the last one, already seen, in its place.
    for (let at = watchers.sets.length - 1; at >= 0; at -= 1) {
      const set = watchers.sets[at] as FetchSet;
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
      const slot = id % SLOTS_MAX;
      if (this.idOfSlot[slot] !== id) continue;
      const task = this.unpark(this.tasks.get(slot).set);
      if (task !== undefined) due.push(task);
    }
  }

  /** Drops what a closed connection left behind. */
  forgetConnection(connection: number, generation: number): void {
    const slots = this.slotsOf[connection];
    if (slots === undefined) return;
    for (const slot of slots.slice()) {
      const task = this.tasks.get(slot);
      if (task.call.generation === generation) this.unpark(task.set);
    }
  }

  private leaveConnection(connection: number, slot: number): void {
    const slots = this.slotsOf[connection];
    const at = slots?.indexOf(slot) ?? -1;
    if (slots === undefined || at < 0) return;
    const last = slots.pop() as number;
    if (at < slots.length) slots[at] = last;
  }

  private watchRows(set: FetchSet): void {
    for (let row = 0; row < set.rows; row += 1) {
      const logId = set.logId[row] as number;
      if (logId >= 0) this.watch(logId as LogId, set, row);
    }
  }

  private unwatchRows(set: FetchSet): void {
    for (let row = 0; row < set.rows; row += 1) {
      const logId = set.logId[row] as number;
      if (logId >= 0) this.unwatch(logId as LogId, set, row);
    }
  }
}
