import {
  type LogId,
  type Millis,
  type Offset,
  type Uuid,
  logId,
  millis,
  offset,
} from "@mantou/base";
import { encodeBatch } from "@mantou/protocol";
import {
  APPEND_WORDS,
  Append,
  AppendFlag,
  INSPECT_WORDS,
  Inspect,
  LOCATE_WORDS,
  Locate,
  LocateCode,
  LocateFlag,
  type LogConfig,
  type LogSpec,
  type LogState,
  type StoreOptions,
  Table,
} from "../../src/index.ts";
import { Driver, until } from "./driver.ts";

export const defaultConfig: LogConfig = {
  segmentBytes: 1 << 20,
  segmentMs: 7 * 24 * 3600 * 1000,
  segmentJitterMs: 0,
  segmentIndexBytes: 1 << 20,
  indexIntervalBytes: 4096,
  fileDeleteDelayMs: 0,
  preallocate: false,
  durability: "fsync",
};

export const storeOptions = (dataDirectory: string): StoreOptions => ({
  dataDirectory,
  reserveBytes: 0,
  freeBytesMin: 0,
  groupHoldMs: 0,
  flush: "auto",
  filesOpenMax: 0,
});

export const topicId = (value: number): Uuid => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(value, 12);
  return bytes.toString("base64url") as Uuid;
};

export const spec = (id: number, config: Partial<LogConfig> = {}, topic = id): LogSpec => ({
  logId: logId(id),
  topic: `topic-${topic}`,
  topicId: topicId(topic),
  partition: 0,
  config: { ...defaultConfig, ...config },
});

/** A batch of `count` records whose timestamps start at `timestamp` and grow by one. */
export function batchOf(count: number, timestamp = 1_000, valueBytes = 10): Uint8Array {
  const value = new Uint8Array(valueBytes).fill(count & 0xff);
  return encodeBatch(
    Array.from({ length: count }, (_, index) => ({
      key: Uint8Array.of(index),
      value,
      timestamp: timestamp + index,
    })),
  );
}

export interface LocatedRange {
  readonly code: number;
  readonly pin: number;
  readonly position: number;
  readonly length: number;
}

/** Log calls without tables, for one engine. */
export class LogDriver extends Driver {
  private readonly appends = new Table(APPEND_WORDS, 64);
  private readonly inspects = new Table(INSPECT_WORDS, 1);
  private readonly locates = new Table(LOCATE_WORDS, 1);
  private readonly ends = new Map<number, number>();
  /** Events that were seen before a log was cut tell nothing about what it has now. */
  private readonly cutAt = new Map<number, number>();
  private lastTag = 0;

  /** Puts bytes into the arena; the caller owns the reference. */
  place(bytes: Uint8Array): number {
    const at = this.io.arena.allocate(bytes.length);
    if (at < 0) throw new Error("the arena is full");
    this.io.arena.bytes.set(bytes, at);
    return at;
  }

  async open(dataDirectory: string, specs: readonly LogSpec[]): Promise<LogState[]> {
    await this.io.logs.open(storeOptions(dataDirectory));
    return this.openLogs(specs);
  }

  async openLogs(specs: readonly LogSpec[]): Promise<LogState[]> {
    const states = await this.io.logs.openLogs(specs);
    for (const state of states) this.ends.set(state.logId, state.endOffset);
    return states;
  }

  endOf(id: number): number {
    return this.ends.get(id) ?? 0;
  }

  /** The log was cut to `end`: what was told of it before is forgotten. */
  setEnd(id: number, end: number): void {
    this.ends.set(id, end);
    this.cutAt.set(id, this.seen.length);
  }

  /** Appends batches behind each other in one call; gives the end offset. */
  append(
    id: number,
    batches: readonly Uint8Array[],
    options: { flags?: number; nowMs?: number; leaderEpoch?: number; baseOffset?: number } = {},
  ): number {
    let end = options.baseOffset ?? this.endOf(id);
    for (const [row, batch] of batches.entries()) {
      const at = this.place(batch);
      this.appends.words.fill(0, row * APPEND_WORDS, (row + 1) * APPEND_WORDS);
      this.appends.setWord(row, Append.logId, id);
      this.appends.setWord(row, Append.offset, at);
      this.appends.setWord(row, Append.length, batch.length);
      this.appends.setWord(row, Append.flags, options.flags ?? AppendFlag.NOTIFY_WRITTEN);
      this.appends.setDouble(row, Append.baseOffsetF64, end);
      this.appends.setWord(row, Append.leaderEpoch, options.leaderEpoch ?? 3);
      end += new DataView(batch.buffer, batch.byteOffset).getInt32(23) + 1;
    }
    this.io.logs.append(this.appends, batches.length, millis(options.nowMs ?? 5_000));
    // Our own references go at once: the engine keeps its own until the bytes are written.
    for (let row = 0; row < batches.length; row++) {
      this.io.arena.release(this.appends.word(row, Append.offset));
    }
    this.ends.set(id, end);
    return end;
  }

  /** Highest offset that an event of this kind has told for a log, or -1. */
  told(kind: "WRITTEN" | "DURABLE", id: number): number {
    let told = -1;
    for (const event of this.seen.slice(this.cutAt.get(id) ?? 0)) {
      if (event.kind === kind && event.logId === id) told = Math.max(told, event.offset);
    }
    return told;
  }

  async durable(id: number, end = this.endOf(id)): Promise<void> {
    await until(() => this.told("DURABLE", id) >= end, `log ${id} to be durable up to ${end}`);
  }

  async appendDurably(id: number, batches: readonly Uint8Array[]): Promise<number> {
    const end = this.append(id, batches);
    await this.durable(id, end);
    return end;
  }

  /** One locate row; waits where the answer is pending. */
  async locate(
    id: number,
    from: number,
    limit = this.endOf(id),
    bytesMax = 1 << 30,
    flags: number = LocateFlag.AT_LEAST_ONE_BATCH,
  ): Promise<LocatedRange> {
    const tag = ++this.lastTag;
    this.locates.words.fill(0);
    this.locates.setWord(0, Locate.logId, id);
    this.locates.setWord(0, Locate.flags, flags);
    this.locates.setDouble(0, Locate.offsetF64, from);
    this.locates.setDouble(0, Locate.limitF64, limit);
    this.locates.setWord(0, Locate.bytesMax, bytesMax);
    this.locates.setWord(0, Locate.tag, tag);
    this.io.logs.locate(this.locates, 1);
    const code = this.locates.word(0, Locate.code);
    if (code !== LocateCode.PENDING) {
      return {
        code,
        pin: this.locates.word(0, Locate.pin),
        position: this.locates.double(0, Locate.positionF64),
        length: this.locates.word(0, Locate.length),
      };
    }
    const answer = (): (typeof this.seen)[number] | undefined =>
      this.seen.find((event) => event.kind === "LOCATED" && event.tag === tag);
    await until(() => answer() !== undefined, "a pending locate");
    const event = answer() as (typeof this.seen)[number];
    return { code: event.code, pin: event.pin, position: event.offset, length: event.length };
  }

  /** Locates and gives the pin back. */
  async range(
    id: number,
    from: number,
    limit?: number,
    bytesMax?: number,
    flags?: number,
  ): Promise<Omit<LocatedRange, "pin">> {
    const { code, pin, position, length } = await this.locate(id, from, limit, bytesMax, flags);
    if (length > 0) this.releasePin(pin).submit();
    return { code, position, length };
  }

  /** Everything that `read` gives from an offset on, call by call. */
  async readAll(id: number, from: number, bytesMax = 1 << 20): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let at = from;
    for (;;) {
      const part = await this.io.logs.read(logId(id), offset(at), bytesMax);
      if (part.length === 0) break;
      parts.push(part);
      at = endOfBatches(part);
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  inspect(
    bytes: Uint8Array,
    flags = 0,
    inflatedBytesMax = 1 << 20,
  ): { code: number; recordIndex: number; bytes: Uint8Array } {
    const at = this.place(bytes);
    this.inspects.setWord(0, Inspect.offset, at);
    this.inspects.setWord(0, Inspect.length, bytes.length);
    this.inspects.setWord(0, Inspect.flags, flags);
    this.inspects.setWord(0, Inspect.inflatedBytesMax, inflatedBytesMax);
    this.io.logs.inspect(this.inspects, 1);
    const after = this.io.arena.bytes.slice(at, at + bytes.length);
    this.io.arena.release(at);
    return {
      code: this.inspects.word(0, Inspect.code),
      recordIndex: this.inspects.word(0, Inspect.recordIndex),
      bytes: after,
    };
  }
}

/** The offset behind the last batch of a row of whole batches. */
export function endOfBatches(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let end = 0;
  while (at < bytes.length) {
    end = Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1;
    at += 12 + view.getInt32(at + 8);
  }
  return end;
}

export const id = (value: number): LogId => logId(value);
export const at = (value: number): Offset => offset(value);
export const ms = (value: number): Millis => millis(value);
