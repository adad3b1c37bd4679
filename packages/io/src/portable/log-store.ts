import { assert, type LogId, type Millis, type Offset, type Uuid } from "@mantou/base";
import type { Codecs } from "@mantou/protocol";
import { APPEND_WORDS, Append, Event, EventKind, StoreCode } from "../layout.ts";
import {
  type CleanOutcome,
  type CleanRequest,
  IoError,
  type LogConfig,
  type LogSpec,
  type LogState,
  type LogStore,
  type SegmentInfo,
  type StoreDescription,
  type StoreOptions,
  type StoreStats,
} from "../ports.ts";
import type { Table } from "../table.ts";
import type { PortableArena } from "./arena.ts";
import type { EventQueue } from "./events.ts";
import { CleanRuns } from "./clean-runs.ts";
import { inspectTable } from "./inspect.ts";
import { LogCalls } from "./log-calls.ts";
import { LogLocator } from "./log-locator.ts";
import { openLog, stateOf } from "./log-opening.ts";
import { LogWorker, type OpenLog, logName } from "./log-worker.ts";
import type { DiskTenant, MemoryDirectory, MemoryDisk } from "./memory-disk.ts";
import type { PinTable } from "./pins.ts";
import type { Scheduler } from "./scheduler.ts";
import { type TimestampHit, firstAtOrAfter, largestBelow } from "./timestamps.ts";

/** `LogStore` on a {@link MemoryDisk}. Every answer comes later, through the event stream. */
export class PortableLogStore implements LogStore, DiskTenant {
  private readonly worker: LogWorker;
  private readonly calls: LogCalls;
  private readonly locator: LogLocator;
  private readonly cleaner: CleanRuns;
  private options: StoreOptions | null = null;
  private directory: MemoryDirectory | null = null;
  private isLow = false;
  /** Logs that are about to be opened. */
  private readonly opening = new Set<LogId>();

  constructor(
    private readonly arena: PortableArena,
    private readonly events: EventQueue,
    pins: PinTable,
    private readonly disk: MemoryDisk,
    scheduler: Scheduler,
    private readonly codecs: Codecs,
  ) {
    this.worker = new LogWorker(
      arena,
      events,
      disk,
      (task) => scheduler.soon(task),
      () => this.watchSpace(),
    );
    this.calls = new LogCalls(this.worker, events, scheduler, () => this.directory !== null);
    this.cleaner = new CleanRuns(this.calls, codecs);
    this.locator = new LogLocator(this.worker, events, pins, disk, scheduler);
  }

  open(options: StoreOptions): Promise<StoreDescription> {
    return this.calls.later(() => {
      if (this.directory !== null) throw new IoError("INVALID", "the store is open already");
      if (!this.disk.lock(options.dataDirectory, this)) {
        throw new IoError("LOCKED", `${options.dataDirectory} is in use by another broker`);
      }
      const directory = this.disk.directory(options.dataDirectory);
      this.options = options;
      this.directory = directory;
      const clean = directory.clean;
      directory.clean = false;
      return {
        clean,
        clusterId: directory.clusterId,
        nodeId: directory.nodeId,
        directoryId: directory.directoryId as Uuid,
        logs: [...directory.logs.values()].map(({ topic, topicId, partition }) => ({
          topic,
          topicId: topicId as Uuid,
          partition,
        })),
        fileSystem: "memory",
        flushStrategy: "memory",
      };
    });
  }

  format(clusterId: string, nodeId: number): Promise<void> {
    return this.calls.later(() => {
      const directory = this.opened();
      directory.clusterId = clusterId;
      directory.nodeId = nodeId;
    });
  }

  openLogs(specs: readonly LogSpec[]): Promise<LogState[]> {
    for (const { logId } of specs) this.opening.add(logId);
    return this.calls.later(() => {
      for (const { logId } of specs) this.opening.delete(logId);
      return specs.map((spec) => openLog(this.worker, this.opened(), spec));
    });
  }

  configure(logId: LogId, config: LogConfig): void {
    const log = this.worker.logs.get(logId);
    if (log !== undefined) log.spec = { ...log.spec, config };
  }

  inspect(table: Table, rows: number): void {
    inspectTable(this.arena, table, rows, this.codecs);
  }

  append(table: Table, rows: number, nowMs: Millis): void {
    assert(table.rowWords === APPEND_WORDS && rows <= table.capacity, "append table");
    for (let row = 0; row < rows; row++) {
      this.worker.append(table.word(row, Append.logId), {
        offset: table.word(row, Append.offset),
        length: table.word(row, Append.length),
        flags: table.word(row, Append.flags),
        baseOffset: table.double(row, Append.baseOffsetF64),
        leaderEpoch: table.signed(row, Append.leaderEpoch),
        nowMs,
      });
    }
  }

  locate(table: Table, rows: number): void {
    this.locator.locate(table, rows);
  }

  findTimestamp(logId: LogId, timestamp: number, limit: Offset): Promise<TimestampHit | null> {
    return this.calls.onLog(logId, (log) =>
      firstAtOrAfter(log.data, timestamp, limit, this.codecs),
    );
  }

  findMaxTimestamp(logId: LogId, limit: Offset): Promise<TimestampHit | null> {
    return this.calls.onLog(logId, (log) => largestBelow(log.data, limit, this.codecs));
  }

  readHeaders(logId: LogId, from: Offset, rowsMax: number): Promise<Float64Array> {
    return this.calls.onLog(logId, (log) => log.data.readHeaders(from, rowsMax));
  }

  read(logId: LogId, from: Offset, bytesMax: number): Promise<Uint8Array> {
    return this.calls.onLog(logId, (log) => log.data.read(from, bytesMax));
  }

  truncate(logId: LogId, end: Offset): Promise<LogState> {
    return this.changeLog(logId, (log) => {
      if (end < 0) throw new IoError("OUT_OF_RANGE", `a log cannot end at ${end}`);
      log.data.truncate(end);
      log.assignedEnd = log.data.endOffset;
    });
  }

  trim(logId: LogId, start: Offset): Promise<LogState> {
    return this.changeLog(logId, ({ data }) => {
      if (start < 0 || start > data.endOffset) {
        throw new IoError("OUT_OF_RANGE", `${start} is behind the end ${data.endOffset}`);
      }
      data.trim(start);
    });
  }

  roll(logId: LogId): Promise<LogState> {
    return this.changeLog(logId, (log) => log.data.roll());
  }

  retain(
    logId: LogId,
    retentionMs: number,
    retentionBytes: number,
    limit: Offset,
    nowMs: Millis,
  ): Promise<LogState> {
    return this.changeLog(logId, (log) => {
      log.data.retain(retentionMs, retentionBytes, limit, nowMs);
    });
  }

  remove(logId: LogId): Promise<void> {
    // Else the log that is opened again would come back without an owner.
    if (this.opening.has(logId)) return this.calls.later(() => {}).then(() => this.remove(logId));
    return this.calls.onLog(
      logId,
      ({ data }) => {
        this.worker.logs.delete(logId);
        this.opened().logs.delete(logName(data.topic, data.partition));
        this.watchSpace();
      },
      { afterFlush: true, evenFailed: true },
    );
  }

  clean(logId: LogId, request: CleanRequest): Promise<CleanOutcome> {
    return this.cleaner.clean(logId, request).finally(() => this.watchSpace());
  }

  segments(logId: LogId): Promise<SegmentInfo[]> {
    return this.calls.onLog(logId, (log) => log.data.segmentInfos());
  }

  sizes(logIds: Uint32Array, bytes: Float64Array): void {
    for (let index = 0; index < logIds.length; index++) {
      bytes[index] = this.worker.logs.get(logIds[index] as number)?.data.bytes ?? 0;
    }
  }

  putFile(logId: LogId | null, name: string, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    return this.onFiles(logId, name, (files) => void files.set(name, copy));
  }

  getFile(logId: LogId | null, name: string): Promise<Uint8Array | null> {
    return this.onFiles(logId, name, (files) => files.get(name)?.slice() ?? null);
  }

  removeFile(logId: LogId | null, name: string): Promise<void> {
    return this.onFiles(logId, name, (files) => void files.delete(name));
  }

  listFiles(logId: LogId | null): Promise<string[]> {
    return this.onFiles(logId, "list", (files) => [...files.keys()].sort());
  }

  checkpoint(): Promise<void> {
    return this.calls.whenIdle(() => this.syncAll());
  }

  close(): Promise<void> {
    return this.calls.whenIdle(() => {
      const directory = this.directory;
      if (directory === null || this.options === null) return;
      this.syncAll();
      directory.clean = this.worker.failure === StoreCode.OK;
      this.disk.unlock(this.options.dataDirectory, this);
      this.directory = null;
      this.worker.logs.clear();
    });
  }

  stats(): StoreStats {
    const cleaner = this.cleaner.stats();
    return { ...this.worker.stats(), ...this.locator.stats(), cleaner };
  }

  crashed(): void {
    this.directory = null;
    this.worker.die();
  }

  diskChanged(): void {
    this.watchSpace();
    this.worker.resume();
  }

  private opened(): MemoryDirectory {
    if (this.directory === null) throw new IoError("CLOSED", "the store is not open");
    if (this.worker.failure !== StoreCode.OK) {
      throw new IoError("EIO", "a flush has failed: nothing is served until a restart");
    }
    return this.directory;
  }

  private changeLog(logId: LogId, change: (log: OpenLog) => void): Promise<LogState> {
    return this.calls.onLog(
      logId,
      (log) => {
        change(log);
        this.watchSpace();
        return stateOf(log);
      },
      { afterFlush: true, evenFailed: false },
    );
  }

  private onFiles<T>(
    logId: LogId | null,
    name: string,
    run: (files: Map<string, Uint8Array>) => T,
  ): Promise<T> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(name)) {
      return this.calls.later(() => {
        throw new IoError("INVALID", `${JSON.stringify(name)} is not a plain file name`);
      });
    }
    if (logId === null) return this.calls.later(() => run(this.opened().files));
    return this.calls.onLog(logId, (log) => run(log.data.files));
  }

  private syncAll(): void {
    if (this.worker.dead || this.worker.failure !== StoreCode.OK) return;
    for (const { data } of this.worker.logs.values()) data.syncedOffset = data.endOffset;
  }

  /** Tells when free space falls below the minimum, and when it is back. */
  private watchSpace(): void {
    if (this.options === null || this.worker.dead) return;
    const low = this.disk.freeBytes < this.options.freeBytesMin;
    if (low === this.isLow) return;
    this.isLow = low;
    const at = this.events.push(EventKind.STORE_STATE);
    this.events.setWord(at, Event.code, low ? StoreCode.LOW_SPACE : StoreCode.OK);
  }
}
