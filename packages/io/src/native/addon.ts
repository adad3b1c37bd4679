import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type CleanOutcome,
  type ConnectionInfo,
  IoError,
  type NetworkStats,
  type StoreStats,
} from "../ports.ts";
import { layoutFingerprint } from "./fingerprint.ts";

/** What the addon exports. Kept in step with `native/addon/src`; all calls on one thread. */
export interface Addon {
  version(): string;
  layoutFingerprint(): number;
  sendDatagram(path: string, text: string): void;
  create(options: EngineOptions, bell: () => void): number;
  stopNetwork(engine: number, request: number): void;

  arenaBuffer(engine: number): ArrayBuffer;
  arenaAllocate(engine: number, length: number): number;
  arenaRelease(engine: number, offset: number): void;

  drain(engine: number, table: Uint32Array): number;
  submit(engine: number, table: Uint32Array, rows: number, bytes: Uint8Array): void;
  inspect(engine: number, table: Uint32Array, rows: number): void;
  append(engine: number, table: Uint32Array, rows: number, nowMs: number): void;
  locate(engine: number, table: Uint32Array, rows: number): void;
  sizes(engine: number, logIds: Uint32Array, bytes: Float64Array): void;

  listen(
    engine: number,
    options: { host: string; port: number; listenerId: number; frameBytesMax: number },
  ): { host: string; port: number };
  connect(engine: number, host: string, port: number, connectId: number): void;
  describe(engine: number, connection: number, generation: number): ConnectionInfo | null;
  stopAccepting(engine: number): void;
  networkStats(engine: number): NetworkStats;

  takeCompletion(engine: number): Completion | null;
  takeBytes(engine: number, request: number, target: Uint8Array): void;
  openStore(engine: number, request: number, options: object): void;
  closeStore(engine: number, request: number): void;
  forgetStore(engine: number): void;
  format(engine: number, request: number, clusterId: string, nodeId: number): void;
  openLogs(engine: number, request: number, specs: readonly object[]): void;
  configure(engine: number, log: number, config: object): void;
  findTimestamp(
    engine: number,
    request: number,
    log: number,
    timestamp: number,
    limit: number,
  ): void;
  findMaxTimestamp(engine: number, request: number, log: number, limit: number): void;
  readHeaders(engine: number, request: number, log: number, from: number, rowsMax: number): void;
  read(engine: number, request: number, log: number, from: number, bytesMax: number): void;
  truncate(engine: number, request: number, log: number, end: number): void;
  trim(engine: number, request: number, log: number, start: number): void;
  roll(engine: number, request: number, log: number): void;
  remove(engine: number, request: number, log: number): void;
  retain(
    engine: number,
    request: number,
    log: number,
    retentionMs: number,
    retentionBytes: number,
    limit: number,
    nowMs: number,
  ): void;
  clean(engine: number, request: number, log: number, spec: object): void;
  segments(engine: number, request: number, log: number): void;
  putFile(
    engine: number,
    request: number,
    log: number | null,
    name: string,
    bytes: Uint8Array,
  ): void;
  getFile(engine: number, request: number, log: number | null, name: string): void;
  removeFile(engine: number, request: number, log: number | null, name: string): void;
  listFiles(engine: number, request: number, log: number | null): void;
  checkpoint(engine: number, request: number): void;
  storeStats(engine: number): StoreStats;
}

export interface EngineOptions {
  readonly arenaBytes: number;
  readonly connectionsMax: number;
  readonly connectionsPerIpMax: number;
  readonly idleTimeoutMs: number;
  readonly connectionQuotaBytes: number;
  readonly outputQuotaBytes: number;
}

/**
 * A finished cold call: failed where it has a code, else with at most one of the answers.
 * Request 0 is no call: its message tells a person about an event that follows.
 */
export interface Completion {
  readonly request: number;
  readonly code?: string;
  readonly message?: string;
  readonly description?: {
    readonly clean: boolean;
    readonly clusterId?: string;
    readonly nodeId?: number;
    readonly directoryId: string;
    readonly logs: readonly {
      readonly topic: string;
      readonly topicId: string;
      readonly partition: number;
    }[];
    readonly fileSystem: string;
    readonly flushStrategy: string;
  };
  readonly states?: readonly {
    readonly logId: number;
    readonly startOffset: number;
    readonly endOffset: number;
    readonly largestTimestamp: number;
    readonly cutBytes: number;
    readonly corruptFromOffset: number;
  }[];
  readonly position?: { readonly offset: number; readonly timestamp: number };
  readonly segments?: readonly {
    readonly baseOffset: number;
    readonly bytes: number;
    readonly largestTimestamp: number;
  }[];
  readonly names?: readonly string[];
  readonly cleaned?: CleanOutcome;
  readonly bytesLength?: number;
}

let loaded: Addon | null = null;

/**
 * Loads the addon, once: from `MANTOU_NATIVE_PATH` where it is set, else `mantou.node` beside the
 * executable, else the copy that was built or is embedded. Throws IoError NO_ADDON.
 */
export function loadAddon(): Addon {
  if (loaded !== null) return loaded;
  const addon = requireAddon();
  if (addon.layoutFingerprint() !== layoutFingerprint()) {
    throw new IoError(
      "NO_ADDON",
      "the native addon is of another version: run `bun scripts/build-native.ts`",
    );
  }
  loaded = addon;
  return addon;
}

/**
 * Sends one datagram to the Unix socket at `path`, or to the abstract one (Linux) whose name
 * follows an `@`. Never waits. Throws where nobody takes it.
 */
export const sendDatagram = (path: string, text: string): void =>
  loadAddon().sendDatagram(path, text);

/** The version of the addon that is in use. */
export const addonVersion = (): string => loadAddon().version();

function requireAddon(): Addon {
  const given = process.env["MANTOU_NATIVE_PATH"];
  const beside = join(dirname(process.execPath), "mantou.node");
  try {
    if (given !== undefined && given !== "") return require(given) as Addon;
    if (existsSync(beside)) return require(beside) as Addon;
    // Written out, so that `bun build --compile` finds the file and takes it in.
    return require("../../native/mantou.node") as Addon;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const from = given ?? (existsSync(beside) ? beside : "packages/io/native/mantou.node");
    throw new IoError(
      "NO_ADDON",
      `cannot load the native addon from ${from} (${why}): run \`bun scripts/build-native.ts\``,
    );
  }
}
