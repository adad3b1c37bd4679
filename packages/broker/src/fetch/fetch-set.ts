import type { LogId } from "@mantou/base";
import type { ParkingLot } from "./parking-lot.ts";

/** Initial rows of a set; most clients fetch few partitions. */
const ROWS_INITIAL = 8;

/**
 * The partitions of one fetch, or of one fetch session, as columns: no object per partition.
 * `rows` counts used rows; a forgotten row is filled by the last one.
 */
export class FetchSet {
  rows = 0;
  /** Topic name (Fetch below v13) or topic id (v13+) of each row. */
  readonly topics: string[] = [];
  partition = new Int32Array(ROWS_INITIAL);
  /** -1 while unresolved. */
  logId = new Int32Array(ROWS_INITIAL).fill(-1);
  fetchOffset = new Float64Array(ROWS_INITIAL);
  bytesMax = new Int32Array(ROWS_INITIAL);
  /** The client's view of the leader epoch, -1: no check. */
  currentLeaderEpoch = new Int32Array(ROWS_INITIAL);
  /** Epoch of the last record the client has, -1: no truncation check. */
  lastFetchedEpoch = new Int32Array(ROWS_INITIAL);
  /** What the client was told last; decides what an incremental answer may leave out. */
  sentHighWatermark = new Float64Array(ROWS_INITIAL);
  sentStartOffset = new Float64Array(ROWS_INITIAL);
  sentError = new Int16Array(ROWS_INITIAL);
  /** The row's place among the watchers of its log, or -1. */
  watchAt = new Int32Array(ROWS_INITIAL).fill(-1);
  /** First row that the next answer looks at, so that no partition starves. */
  firstRow = 0;
  /** The parked task that waits for this set, or -1. */
  parkedTask = -1;
  /** Counts the requests of the set; only a task of the last one may wait for it. */
  turn = 0;

  private readonly rowOf = new Map<string, Map<number, number>>();

  /** @param usesIds whether `topics` holds ids. @param persistent session sets stay registered. */
  constructor(
    readonly usesIds: boolean,
    readonly persistent: boolean,
  ) {}

  /** The row of a partition, added when new. A new row has never told anything to the client. */
  upsert(topic: string, partition: number): number {
    let rows = this.rowOf.get(topic);
    if (rows === undefined) {
      rows = new Map();
      this.rowOf.set(topic, rows);
    }
    const known = rows.get(partition);
    if (known !== undefined) return known;
    const row = this.rows;
    if (row === this.partition.length) this.grow();
    this.rows += 1;
    rows.set(partition, row);
    this.topics[row] = topic;
    this.partition[row] = partition;
    this.logId[row] = -1;
    this.watchAt[row] = -1;
    this.sentHighWatermark[row] = -2;
    this.sentStartOffset[row] = -2;
    this.sentError[row] = 0;
    return row;
  }

  /** Points a row at its log and moves the set's registration along. */
  resolve(row: number, logId: LogId | -1, lot: ParkingLot): void {
    const before = this.logId[row] as number;
    if (before === logId) return;
    if (this.persistent && before >= 0) lot.unwatch(before as LogId, this, row);
    this.logId[row] = logId;
    if (this.persistent && logId >= 0) lot.watch(logId as LogId, this, row);
  }

  /** Takes a partition out; unknown ones are ignored, as Kafka does. */
  forget(topic: string, partition: number, lot: ParkingLot): void {
    const rows = this.rowOf.get(topic);
    const row = rows?.get(partition);
    if (rows === undefined || row === undefined) return;
    this.resolve(row, -1, lot);
    rows.delete(partition);
    if (rows.size === 0) this.rowOf.delete(topic);
    this.rows -= 1;
    const last = this.rows;
    if (row === last) return;
    this.topics[row] = this.topics[last] as string;
    for (const column of this.columns()) column[row] = column[last] as number;
    if ((this.logId[row] as number) >= 0) lot.rowMoved(this.logId[row] as LogId, this, row);
    this.rowOf.get(this.topics[row] as string)?.set(this.partition[row] as number, row);
  }

  private columns(): (Int32Array | Float64Array | Int16Array)[] {
    return [
      this.partition,
      this.logId,
      this.fetchOffset,
      this.bytesMax,
      this.currentLeaderEpoch,
      this.lastFetchedEpoch,
      this.sentHighWatermark,
      this.sentStartOffset,
      this.sentError,
      this.watchAt,
    ];
  }

  private grow(): void {
    const rows = this.partition.length * 2;
    const i32 = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(rows);
      grown.set(old);
      return grown;
    };
    const f64 = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(rows);
      grown.set(old);
      return grown;
    };
    this.partition = i32(this.partition);
    this.logId = i32(this.logId);
    this.fetchOffset = f64(this.fetchOffset);
    this.bytesMax = i32(this.bytesMax);
    this.currentLeaderEpoch = i32(this.currentLeaderEpoch);
    this.lastFetchedEpoch = i32(this.lastFetchedEpoch);
    this.sentHighWatermark = f64(this.sentHighWatermark);
    this.sentStartOffset = f64(this.sentStartOffset);
    this.watchAt = i32(this.watchAt);
    const sentError = new Int16Array(rows);
    sentError.set(this.sentError);
    this.sentError = sentError;
  }
}
