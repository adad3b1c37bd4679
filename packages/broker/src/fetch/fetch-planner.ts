import type { LogId } from "@mantou/base";
import { LOCATE_WORDS, Locate, LocateCode, LocateFlag, Table } from "@mantou/io";
import type { LogStore } from "@mantou/io";
import type { PartitionTable, ProducerStates } from "@mantou/replication";
import { ErrorCode } from "@mantou/protocol";
import { RANGES_PER_CALL } from "../limits.ts";
import type { PlanWriter } from "../plan-writer.ts";
import type { FetchTask, FoundRow } from "./fetch-task.ts";
import type { ParkingLot } from "./parking-lot.ts";

/** Rows with data in one answer; more come with the next fetch. Bounds the answer's segments. */
const DATA_ROWS_MAX = 2000;

/**
 * Aborted transactions that one partition's answer names before its records are cut short. What
 * is named may reach beyond the records: clients leave out what does not concern them.
 */
const ABORTED_PER_ANSWER_MAX = 500;

/** Requests before this version neither tell epochs nor can be told of one. */
const EPOCHS_FROM_VERSION = 12;

/**
 * The epoch of the last record that the client has, -1 where it does not tell. A session keeps it
 * from requests of newer versions than the one that is asked in now.
 */
const lastFetchedEpoch = ({ call, set }: FetchTask, row: number): number =>
  call.version < EPOCHS_FROM_VERSION ? -1 : (set.lastFetchedEpoch[row] as number);

/** Resolves a set's topic to a log of this broker: LogId, or a protocol error code. */
export type ResolveLog = (
  topic: string,
  usesIds: boolean,
  partition: number,
) => { readonly logId: LogId } | { readonly errorCode: number };

/**
 * Turns a task into ranges: which partitions may be read up to where, how many bytes, and where
 * those bytes lie. Locates in chunks, so that a fetch of a thousand partitions stops asking when
 * its byte budget is used up.
 */
export class FetchPlanner {
  private readonly table = new Table(LOCATE_WORDS, RANGES_PER_CALL);
  private readonly waiting = new Map<number, { task: FetchTask; found: FoundRow }>();
  private nextTag = 0;

  constructor(
    private readonly partitions: PartitionTable,
    private readonly producers: ProducerStates,
    private readonly logs: LogStore,
    private readonly resolveLog: ResolveLog,
    private readonly lot: ParkingLot,
    private readonly writer: PlanWriter,
  ) {}

  /** Plans and locates. Afterwards `task.pending` is 0, or LOCATED events will follow. */
  plan(task: FetchTask): void {
    const { set } = task;
    let chunk: FoundRow[] = [];
    let chunkBytesMax = 0;
    let dataRows = 0;
    const first = set.firstRow < set.rows ? set.firstRow : 0;
    for (let step = 0; step < set.rows; step += 1) {
      const row = first + step < set.rows ? first + step : first + step - set.rows;
      const found = this.judgeRow(task, row);
      if (found === null) continue;
      task.found.push(found);
      if (found.errorCode !== ErrorCode.NONE || found.diverging !== null) {
        task.urgent = true;
        continue;
      }
      const full = dataRows >= DATA_ROWS_MAX || (task.bytes > 0 && task.bytes >= task.bytesMax);
      if (full || !this.hasData(task, row)) continue;
      dataRows += 1;
      chunk.push(found);
      chunkBytesMax += set.bytesMax[row] as number;
      if (chunk.length < RANGES_PER_CALL && chunkBytesMax < task.bytesMax - task.bytes) continue;
      this.locate(task, chunk);
      chunk = [];
      chunkBytesMax = 0;
    }
    if (chunk.length > 0) this.locate(task, chunk);
    set.firstRow = set.rows > 1 ? (first + 1) % set.rows : 0;
  }

  /** Takes a LOCATED event; gives the task when it was its last one. A range nobody waits for goes back. */
  located(
    tag: number,
    code: number,
    pin: number,
    position: number,
    length: number,
  ): FetchTask | null {
    const entry = this.waiting.get(tag);
    if (entry === undefined) {
      if (length > 0) this.writer.releasePin(pin);
      return null;
    }
    this.waiting.delete(tag);
    entry.task.pending -= 1;
    this.settle(entry.task, entry.found, code, pin, position, length);
    return entry.task.pending === 0 ? entry.task : null;
  }

  /** What the row has to say, or null where an incremental answer leaves it out. */
  private judgeRow(task: FetchTask, row: number): FoundRow | null {
    const { set } = task;
    const found: FoundRow = {
      row,
      topic: set.topics[row] as string,
      partition: set.partition[row] as number,
      logId: -1,
      errorCode: ErrorCode.NONE,
      pin: 0,
      position: 0,
      length: 0,
      aborted: null,
      diverging: null,
    };
    let logId = set.logId[row] as number;
    if (logId < 0 || !this.partitions.isOpen(logId as LogId)) {
      const resolved = this.resolveLog(
        set.topics[row] as string,
        set.usesIds,
        set.partition[row] as number,
      );
      if ("errorCode" in resolved) {
        set.resolve(row, -1, this.lot);
        found.errorCode = resolved.errorCode;
        return found;
      }
      logId = resolved.logId;
      set.resolve(row, resolved.logId, this.lot);
    }
    found.logId = logId as LogId;
    found.errorCode = this.rowError(task, row, logId as LogId);
    if (found.errorCode !== ErrorCode.NONE) return found;
    found.diverging = this.divergence(task, row, logId as LogId);
    if (found.diverging?.epoch === -1) {
      // An epoch that this log has never had: there is no offset to go back to.
      found.diverging = null;
      found.errorCode = ErrorCode.OFFSET_OUT_OF_RANGE;
      return found;
    }
    if (!task.incremental || found.diverging !== null) return found;
    const news =
      this.hasData(task, row) ||
      set.sentError[row] !== ErrorCode.NONE ||
      set.sentHighWatermark[row] !== this.partitions.highWatermark(logId as LogId) ||
      set.sentStartOffset[row] !== this.partitions.logStartOffset(logId as LogId);
    return news ? found : null;
  }

  private rowError(task: FetchTask, row: number, logId: LogId): number {
    const { set } = task;
    if (!this.partitions.isLeader(logId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    const epoch = set.currentLeaderEpoch[row] as number;
    const ours = this.partitions.leaderEpoch(logId);
    if (epoch >= 0 && epoch < ours) return ErrorCode.FENCED_LEADER_EPOCH;
    if (epoch > ours) return ErrorCode.UNKNOWN_LEADER_EPOCH;
    if (this.partitions.isFailed(logId)) return ErrorCode.KAFKA_STORAGE_ERROR;
    const offset = set.fetchOffset[row] as number;
    if (offset < this.partitions.logStartOffset(logId)) return ErrorCode.OFFSET_OUT_OF_RANGE;
    // Beyond the end, a client that tells its last epoch is told where that epoch ends instead.
    const tellsEpoch = lastFetchedEpoch(task, row) >= 0;
    if (offset > this.partitions.logEndOffset(logId) && !tellsEpoch) {
      return ErrorCode.OFFSET_OUT_OF_RANGE;
    }
    return ErrorCode.NONE;
  }

  /** Truncation detection (KIP-595): the client's last epoch ends elsewhere in our log. */
  private divergence(task: FetchTask, row: number, logId: LogId): FoundRow["diverging"] {
    const lastEpoch = lastFetchedEpoch(task, row);
    if (lastEpoch < 0) return null;
    const end = this.partitions.endOffsetForEpoch(logId, lastEpoch);
    const offset = task.set.fetchOffset[row] as number;
    if (end.epoch === lastEpoch && end.endOffset >= offset) return null;
    return { epoch: end.epoch, endOffset: end.endOffset };
  }

  private hasData(task: FetchTask, row: number): boolean {
    const { set } = task;
    return this.readableEnd(task, set.logId[row] as LogId) > (set.fetchOffset[row] as number);
  }

  /** Where this client's reading ends: read_committed stops at the last stable offset. */
  private readableEnd(task: FetchTask, logId: LogId): number {
    const highWatermark = this.partitions.highWatermark(logId);
    if (!task.readCommitted) return highWatermark;
    return this.producers.lastStableOffset(logId, highWatermark);
  }

  /** The end of what one answer may hold; notes what in it was aborted. */
  private limitOf(task: FetchTask, found: FoundRow, logId: LogId): number {
    const end = this.readableEnd(task, logId);
    if (!task.readCommitted) return end;
    const from = task.set.fetchOffset[found.row] as number;
    const aborted = this.producers.abortedIn(logId, from, end, ABORTED_PER_ANSWER_MAX);
    if (aborted === null) return end;
    found.aborted = aborted.transactions;
    // There is more, but not for this answer: waiting would not make it longer.
    if (aborted.limit < end) task.urgent = true;
    return aborted.limit;
  }

  private locate(task: FetchTask, chunk: readonly FoundRow[]): void {
    const { table } = this;
    const { set } = task;
    const budget = Math.max(task.bytesMax - task.bytes, 0);
    for (let index = 0; index < chunk.length; index += 1) {
      const { row } = chunk[index] as FoundRow;
      const logId = set.logId[row] as LogId;
      // Any of them may turn out to be the first with bytes; `settle` drops the others' excess.
      const flags = task.bytes === 0 ? LocateFlag.AT_LEAST_ONE_BATCH : 0;
      table.setWord(index, Locate.logId, logId);
      table.setWord(index, Locate.flags, flags);
      table.setDouble(index, Locate.offsetF64, set.fetchOffset[row] as number);
      table.setDouble(index, Locate.limitF64, this.limitOf(task, chunk[index] as FoundRow, logId));
      table.setWord(index, Locate.bytesMax, Math.min(set.bytesMax[row] as number, budget));
      table.setWord(index, Locate.tag, this.nextTag + index);
    }
    const firstTag = this.nextTag;
    // Tags are 32 bits on the wire of the table; more than 2^31 are never in flight.
    this.nextTag = (this.nextTag + chunk.length) % 0x8000_0000;
    this.logs.locate(table, chunk.length);
    for (let index = 0; index < chunk.length; index += 1) {
      const found = chunk[index] as FoundRow;
      const code = table.word(index, Locate.code);
      if (code === LocateCode.PENDING) {
        task.pending += 1;
        this.waiting.set(firstTag + index, { task, found });
        continue;
      }
      const pin = table.word(index, Locate.pin);
      const length = table.word(index, Locate.length);
      this.settle(task, found, code, pin, table.double(index, Locate.positionF64), length);
    }
  }

  private settle(
    task: FetchTask,
    found: FoundRow,
    code: number,
    pin: number,
    position: number,
    length: number,
  ): void {
    switch (code) {
      case LocateCode.OK:
        if (length === 0) return;
        // Each range was asked for with the whole budget and as if it were the first, of which one
        // batch is given whatever its size; what no longer fits waits for later.
        if (
          task.bytes > 0 &&
          (task.bytes + length > task.bytesMax || length > (task.set.bytesMax[found.row] as number))
        ) {
          this.writer.releasePin(pin);
          return;
        }
        found.pin = pin;
        found.position = position;
        found.length = length;
        task.bytes += length;
        return;
      case LocateCode.OUT_OF_RANGE:
        found.errorCode = ErrorCode.OFFSET_OUT_OF_RANGE;
        break;
      case LocateCode.CORRUPT:
        found.errorCode = ErrorCode.CORRUPT_MESSAGE;
        break;
      default:
        found.errorCode = ErrorCode.KAFKA_STORAGE_ERROR;
    }
    task.urgent = true;
  }
}
