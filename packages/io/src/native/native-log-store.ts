import { assert, type LogId, type Millis, type Offset, type Uuid } from "@mantou/base";
import { APPEND_WORDS, INSPECT_WORDS, LOCATE_WORDS } from "../layout.ts";
import type {
  CleanOutcome,
  CleanRequest,
  LogConfig,
  LogSpec,
  LogState,
  LogStore,
  SegmentInfo,
  StoreDescription,
  StoreOptions,
  StoreStats,
} from "../ports.ts";
import type { Table } from "../table.ts";
import type { Addon, Completion } from "./addon.ts";
import type { Requests, Settled } from "./requests.ts";

type Position = { readonly offset: Offset; readonly timestamp: number } | null;

/** `LogStore` on disk. Converts plain objects; see ports.ts for what the calls mean. */
export class NativeLogStore implements LogStore {
  constructor(
    private readonly addon: Addon,
    private readonly engine: number,
    private readonly requests: Requests,
  ) {}

  open(options: StoreOptions): Promise<StoreDescription> {
    return this.requests.start((request) => {
      this.addon.openStore(this.engine, request, options);
    }, descriptionOf);
  }

  format(clusterId: string, nodeId: number): Promise<void> {
    return this.done((request) => this.addon.format(this.engine, request, clusterId, nodeId));
  }

  openLogs(specs: readonly LogSpec[]): Promise<LogState[]> {
    return this.requests.start(
      (request) => {
        const rows = specs.map((spec) => ({
          ...spec,
          topicId: hexadecimal(spec.topicId),
          config: finiteConfig(spec.config),
        }));
        this.addon.openLogs(this.engine, request, rows);
      },
      ({ completion }) => (completion.states ?? []).map(stateOf),
    );
  }

  configure(logId: LogId, config: LogConfig): void {
    this.addon.configure(this.engine, logId, finiteConfig(config));
  }

  inspect(table: Table, rows: number): void {
    assert(table.rowWords === INSPECT_WORDS && rows <= table.capacity, "inspect table");
    this.addon.inspect(this.engine, table.words, rows);
  }

  append(table: Table, rows: number, nowMs: Millis): void {
    assert(table.rowWords === APPEND_WORDS && rows <= table.capacity, "append table");
    this.addon.append(this.engine, table.words, rows, nowMs);
  }

  locate(table: Table, rows: number): void {
    assert(table.rowWords === LOCATE_WORDS && rows <= table.capacity, "locate table");
    this.addon.locate(this.engine, table.words, rows);
  }

  findTimestamp(logId: LogId, timestamp: number, limit: Offset): Promise<Position> {
    return this.requests.start((request) => {
      this.addon.findTimestamp(this.engine, request, logId, timestamp, limit);
    }, positionOf);
  }

  findMaxTimestamp(logId: LogId, limit: Offset): Promise<Position> {
    return this.requests.start((request) => {
      this.addon.findMaxTimestamp(this.engine, request, logId, limit);
    }, positionOf);
  }

  readHeaders(logId: LogId, from: Offset, rowsMax: number): Promise<Float64Array> {
    return this.requests.start(
      (request) => this.addon.readHeaders(this.engine, request, logId, from, word(rowsMax)),
      ({ bytes }) => new Float64Array(bytes?.buffer ?? new ArrayBuffer(0)),
    );
  }

  read(logId: LogId, from: Offset, bytesMax: number): Promise<Uint8Array> {
    return this.requests.start(
      (request) => this.addon.read(this.engine, request, logId, from, word(bytesMax)),
      ({ bytes }) => bytes ?? new Uint8Array(0),
    );
  }

  truncate(logId: LogId, end: Offset): Promise<LogState> {
    return this.state((request) => this.addon.truncate(this.engine, request, logId, end));
  }

  trim(logId: LogId, start: Offset): Promise<LogState> {
    return this.state((request) => this.addon.trim(this.engine, request, logId, start));
  }

  roll(logId: LogId): Promise<LogState> {
    return this.state((request) => this.addon.roll(this.engine, request, logId));
  }

  remove(logId: LogId): Promise<void> {
    return this.done((request) => this.addon.remove(this.engine, request, logId));
  }

  retain(
    logId: LogId,
    retentionMs: number,
    retentionBytes: number,
    limit: Offset,
    nowMs: Millis,
  ): Promise<LogState> {
    const ageMs = bounded(retentionMs);
    const bytes = bounded(retentionBytes);
    return this.state((request) => {
      this.addon.retain(this.engine, request, logId, ageMs, bytes, limit, nowMs);
    });
  }

  clean(logId: LogId, request: CleanRequest): Promise<CleanOutcome> {
    const { bytesPerSecondMax } = request;
    const spec = {
      ...request,
      deleteRetentionMs: Math.min(request.deleteRetentionMs, Number.MAX_SAFE_INTEGER),
      bytesPerSecondMax: bytesPerSecondMax === Infinity ? 0 : bytesPerSecondMax,
    };
    return this.requests.start(
      (request) => this.addon.clean(this.engine, request, logId, spec),
      ({ completion }) => {
        const { cleaned } = completion;
        assert(cleaned !== undefined, "the engine cleaned without an outcome");
        return cleaned;
      },
    );
  }

  segments(logId: LogId): Promise<SegmentInfo[]> {
    return this.requests.start(
      (request) => this.addon.segments(this.engine, request, logId),
      ({ completion }) =>
        (completion.segments ?? []).map((segment) => ({
          ...segment,
          baseOffset: segment.baseOffset as Offset,
        })),
    );
  }

  sizes(logIds: Uint32Array, bytes: Float64Array): void {
    assert(bytes.length >= logIds.length, "sizes has no room for its answers");
    this.addon.sizes(this.engine, logIds, bytes);
  }

  putFile(logId: LogId | null, name: string, bytes: Uint8Array): Promise<void> {
    return this.done((request) => this.addon.putFile(this.engine, request, logId, name, bytes));
  }

  getFile(logId: LogId | null, name: string): Promise<Uint8Array | null> {
    return this.requests.start(
      (request) => this.addon.getFile(this.engine, request, logId, name),
      ({ bytes }) => bytes,
    );
  }

  removeFile(logId: LogId | null, name: string): Promise<void> {
    return this.done((request) => this.addon.removeFile(this.engine, request, logId, name));
  }

  listFiles(logId: LogId | null): Promise<string[]> {
    return this.requests.start(
      (request) => this.addon.listFiles(this.engine, request, logId),
      ({ completion }) => [...(completion.names ?? [])],
    );
  }

  checkpoint(): Promise<void> {
    return this.done((request) => this.addon.checkpoint(this.engine, request));
  }

  close(): Promise<void> {
    return this.requests.start(
      (request) => this.addon.closeStore(this.engine, request),
      () => this.addon.forgetStore(this.engine),
    );
  }

  stats(): StoreStats {
    return this.addon.storeStats(this.engine);
  }

  private done(call: (request: number) => void): Promise<void> {
    return this.requests.start(call, () => undefined);
  }

  private state(call: (request: number) => void): Promise<LogState> {
    return this.requests.start(call, ({ completion }) => {
      const [state] = completion.states ?? [];
      assert(state !== undefined, "the engine answered without a state");
      return stateOf(state);
    });
  }
}

/** The addon knows a 128-bit id by its 32 digits. */
const hexadecimal = (id: Uuid): string => Buffer.from(id, "base64url").toString("hex");
const uuid = (digits: string): Uuid => Buffer.from(digits, "hex").toString("base64url") as Uuid;

/** No limit is -1 there. */
const bounded = (value: number): number => (value === Infinity ? -1 : value);
/** Room for "as many as there are" in an unsigned 32-bit argument. */
const word = (value: number): number => Math.min(value, 0xffff_ffff);

const finiteConfig = (config: LogConfig): LogConfig => ({
  ...config,
  segmentMs: Math.min(config.segmentMs, Number.MAX_SAFE_INTEGER),
});

function descriptionOf({ completion }: Settled): StoreDescription {
  const { description } = completion;
  assert(description !== undefined, "the engine opened without a description");
  return {
    ...description,
    clusterId: description.clusterId ?? null,
    nodeId: description.nodeId ?? null,
    directoryId: uuid(description.directoryId),
    logs: description.logs.map((log) => ({ ...log, topicId: uuid(log.topicId) })),
  };
}

function stateOf(state: NonNullable<Completion["states"]>[number]): LogState {
  return {
    logId: state.logId as LogId,
    startOffset: state.startOffset as Offset,
    endOffset: state.endOffset as Offset,
    largestTimestamp: state.largestTimestamp,
    cutBytes: state.cutBytes,
    corruptFromOffset: state.corruptFromOffset < 0 ? null : (state.corruptFromOffset as Offset),
  };
}

function positionOf({ completion }: Settled): Position {
  const { position } = completion;
  if (position === undefined) return null;
  return { offset: position.offset as Offset, timestamp: position.timestamp };
}
