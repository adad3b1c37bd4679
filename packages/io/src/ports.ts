import type { LogId, Millis, Offset, Uuid } from "@mantou/base";
import type { CleanOutcome, CleanRequest } from "./clean.ts";
import type { NetworkStats, StoreStats } from "./stats.ts";
import type { Table } from "./table.ts";

export * from "./clean.ts";
export * from "./stats.ts";

/** A fault of the environment, as a value that names what, why and (as `code`) which. */
export class IoError extends Error {
  override readonly name = "IoError";

  /**
   * @param code POSIX name (EADDRINUSE, EACCES, ENOSPC, …) or one of ours:
   *   LOCKED (another broker has the directory), FORMAT (a newer or foreign data directory),
   *   CORRUPT, CLOSED, UNKNOWN_LOG, OFFLINE (the log has failed and was not opened again),
   *   OUT_OF_RANGE, INVALID (an argument), OVERLOADED, INTERRUPTED (see `LogStore.clean`).
   */
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The memory in which frames arrive and from which batches are written. Mapped once. */
export interface Arena {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /**
   * A contiguous run for bytes that we make ourselves (the metadata log, control batches).
   * The caller holds one reference. Returns its offset, or -1 when the arena is full.
   */
  allocate(length: number): number;
  /** Drops one reference to the run that holds `offset`; the same as a RELEASE row. */
  release(offset: number): void;
}

/** Everything outside of this process: one arena, one stream of events, two ports. */
export interface Io {
  readonly kind: "native" | "portable";
  readonly arena: Arena;
  readonly network: Network;
  readonly logs: LogStore;
  /** Names the one function to call when events go from none to some. It must call `drain`. */
  onEvents(bell: () => void): void;
  /**
   * Moves events, oldest first, into a table of EVENT_WORDS; returns how many. A return below the
   * table's capacity means that there are none left, and arms the bell again.
   * Completions of promise-returning calls are settled here too.
   */
  drain(events: Table): number;
  /** Calls once whatever else waits for the thread by then has had its turn. */
  soon(call: () => void): void;
  /** Stops everything: connections, then logs (see `LogStore.close`). */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Comes back in OPENED. */
  readonly listenerId: number;
  /** Largest frame in bytes until a FRAME_LIMIT row raises it. */
  readonly frameBytesMax: number;
}

export interface NetworkOptions {
  readonly connectionsMax: number;
  readonly connectionsPerIpMax: number;
  /** Closes a connection that has been idle so long. 0: never. */
  readonly idleTimeoutMs: number;
  /** Bytes of unreleased frames that one connection may hold before it is no longer read. */
  readonly connectionQuotaBytes: number;
  /** Bytes of queued responses at which a connection is no longer read. */
  readonly outputQuotaBytes: number;
}

export interface ConnectionInfo {
  readonly listenerId: number;
  readonly remoteHost: string;
  readonly remotePort: number;
}

export interface Network {
  /** Binds and accepts. Throws IoError (EADDRINUSE, EACCES, EADDRNOTAVAIL, …). */
  listen(options: ListenOptions): { readonly host: string; readonly port: number };
  /** Starts an outbound connection; CONNECTED or CONNECT_FAILED follows with `connectId`. */
  connect(host: string, port: number, connectId: number): void;
  /**
   * Carries out plan rows in order. `bytes` is read before the call returns.
   * Rows for a dead generation are dropped (their pins and runs are released).
   */
  submit(plan: Table, rows: number, bytes: Uint8Array): void;
  /** Who is at the other end, or null when that generation is gone. */
  describe(connection: number, generation: number): ConnectionInfo | null;
  /** Stops accepting; existing connections go on. */
  stopAccepting(): void;
  stats(): NetworkStats;
}

export interface StoreOptions {
  readonly dataDirectory: string;
  /** Bytes held back for checkpoints and deletes when the volume fills up. */
  readonly reserveBytes: number;
  /** Appends are refused (STORE_STATE LOW_SPACE) while free space is below this. */
  readonly freeBytesMin: number;
  /** How long a group of small appends may be held open under steady load. */
  readonly groupHoldMs: number;
  /** `auto` follows the file system; `pool` forces one fdatasync per file. */
  readonly flush: "auto" | "pool" | "syncfs";
  /** Descriptors the store may keep open; 0 derives it from RLIMIT_NOFILE. */
  readonly filesOpenMax: number;
}

export interface StoredLog {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
}

export interface StoreDescription {
  /** Whether the last stop was clean: nothing has to be scanned. */
  readonly clean: boolean;
  readonly clusterId: string | null;
  readonly nodeId: number | null;
  readonly directoryId: Uuid;
  readonly logs: readonly StoredLog[];
  readonly fileSystem: string;
  readonly flushStrategy: string;
}

/** What governs one log. Kafka's names, in camel case; sizes in bytes, times in milliseconds. */
export interface LogConfig {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  readonly fileDeleteDelayMs: number;
  readonly preallocate: boolean;
  /** `fsync`: DURABLE follows fdatasync. `page-cache`: DURABLE follows the write. */
  readonly durability: "fsync" | "page-cache";
}

export interface LogSpec {
  readonly logId: LogId;
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly config: LogConfig;
}

export interface LogState {
  readonly logId: LogId;
  readonly startOffset: Offset;
  /** End of what is on disk: everything below is durable once `openLogs` has answered. */
  readonly endOffset: Offset;
  readonly largestTimestamp: number;
  /** Bytes cut behind the last whole batch: a torn tail. */
  readonly cutBytes: number;
  /** Set when acknowledged bytes fail their checksum: first offset that is not served. */
  readonly corruptFromOffset: Offset | null;
}

export interface SegmentInfo {
  readonly baseOffset: Offset;
  readonly bytes: number;
  readonly largestTimestamp: number;
}

/** One row of `readHeaders`, BATCH_HEADER_DOUBLES doubles: fields of a v2 batch header. */
export const BatchHeader = {
  baseOffset: 0,
  lastOffsetDelta: 1,
  maxTimestamp: 2,
  producerId: 3,
  producerEpoch: 4,
  baseSequence: 5,
  attributes: 6,
  leaderEpoch: 7,
} as const;
export const BATCH_HEADER_DOUBLES = 8;

/**
 * Logs on disk. Rows on the hot path; promises on the cold one. Operations on one log take
 * effect in the order in which they were called, appends included.
 */
export interface LogStore {
  /** Locks the directory, reads its checkpoint. Rejects with IoError LOCKED, FORMAT, EACCES, … */
  open(options: StoreOptions): Promise<StoreDescription>;
  /** Writes cluster and node id into a fresh directory (meta.properties). */
  format(clusterId: string, nodeId: number): Promise<void>;
  /** Opens and, after a crash, recovers. A log without data has no file and opens at once. */
  openLogs(specs: readonly LogSpec[]): Promise<LogState[]>;
  configure(logId: LogId, config: LogConfig): void;

  /** Judges batches in the arena, in place. See layout `Inspect`. */
  inspect(table: Table, rows: number): void;
  /** Enqueues only. WRITTEN, DURABLE or LOG_FAILED events follow per log and group. */
  append(table: Table, rows: number, nowMs: Millis): void;
  /** Offsets to file ranges on batch boundaries. See layout `Locate`. */
  locate(table: Table, rows: number): void;

  /** First record with timestamp >= `timestamp` and offset < `limit`, or null. Exact. */
  findTimestamp(
    logId: LogId,
    timestamp: number,
    limit: Offset,
  ): Promise<{ readonly offset: Offset; readonly timestamp: number } | null>;
  /** The record with the largest timestamp below `limit` (its first, on ties), or null. */
  findMaxTimestamp(
    logId: LogId,
    limit: Offset,
  ): Promise<{ readonly offset: Offset; readonly timestamp: number } | null>;
  /** Headers of the batches from the one that contains `from`, BatchHeader rows back to back. */
  readHeaders(logId: LogId, from: Offset, rowsMax: number): Promise<Float64Array>;
  /** Whole batches from the one that contains `from`, copied; at least one if there is any. */
  read(logId: LogId, from: Offset, bytesMax: number): Promise<Uint8Array>;

  /** Drops everything at and above `end`; a batch that reaches over it is dropped whole. */
  truncate(logId: LogId, end: Offset): Promise<LogState>;
  /**
   * Moves the log's start up to `start` (durably) and deletes segments wholly below it. Rejects
   * with OUT_OF_RANGE above the log's end.
   */
  trim(logId: LogId, start: Offset): Promise<LogState>;
  roll(logId: LogId): Promise<LogState>;
  /** Closes and removes the log; its files are cut down in steps after `fileDeleteDelayMs`. */
  remove(logId: LogId): Promise<void>;
  /**
   * Deletes old segments by time, then by size (-1 and Infinity: no limit), never at or above
   * `limit`. Rolls the active segment where it has expired whole. Returns the new state.
   */
  retain(
    logId: LogId,
    retentionMs: number,
    retentionBytes: number,
    limit: Offset,
    nowMs: Millis,
  ): Promise<LogState>;
  /**
   * Compacts: of each key the newest record stays, with its offset; records of aborted transactions
   * go. Beside everything else that is asked of the log, in the background; one run at a time.
   * Readers go on with what they hold. Rejects with CORRUPT where a batch cannot be read (the log
   * stays as it is) and with INTERRUPTED where the log was cut or removed meanwhile: try again.
   */
  clean(logId: LogId, request: CleanRequest): Promise<CleanOutcome>;
  segments(logId: LogId): Promise<SegmentInfo[]>;
  /** Fills bytes on disk for each id, without waiting for a disk. */
  sizes(logIds: Uint32Array, bytes: Float64Array): void;

  /** Small files of ours, written whole and atomically (write, fsync, rename, fsync directory). */
  putFile(logId: LogId | null, name: string, bytes: Uint8Array): Promise<void>;
  getFile(logId: LogId | null, name: string): Promise<Uint8Array | null>;
  removeFile(logId: LogId | null, name: string): Promise<void>;
  listFiles(logId: LogId | null): Promise<string[]>;

  /** Flushes and writes recovery points for every log. */
  checkpoint(): Promise<void>;
  /** Flushes everything, cuts files to length, marks the directory clean, unlocks it. */
  close(): Promise<void>;
  stats(): StoreStats;
}
