import type { LogId } from "@mantou/base";
import type { Io } from "@mantou/io";
import type { RoleChange } from "raft-ts";
import type { Ambient } from "../ambient.ts";
import type { PeerTransport } from "./controller-peers.ts";
import type { SnapshotSettings } from "./controller-snapshots.ts";

/** What is replicated. Replay at start and live traffic go the same way. */
export interface StateMachine {
  /** One committed entry, in order, each once after the last `restore`. */
  apply(index: number, data: Uint8Array): void;
  /** Everything applied so far. */
  snapshot(): Uint8Array;
  /** Takes the place of everything applied so far. */
  restore(bytes: Uint8Array): void;
}

export interface ControllerParts {
  readonly io: Io;
  readonly ambient: Ambient;
  /** The metadata log's name in this process; its DURABLE events belong to `onDurable`. */
  readonly logId: LogId;
  readonly nodeId: number;
  readonly directoryId: string;
  readonly clusterId: string;
  readonly machine: StateMachine;
  /** The voters of a fresh cluster. Default: this node alone. */
  readonly voters?: readonly number[];
  readonly peers?: PeerTransport;
  readonly onLeaderChange?: (role: RoleChange) => void;
  readonly settings?: Partial<ControllerSettings>;
}

/** Names and defaults as Kafka's `metadata.log.max.*` and `controller.quorum.*`. */
export interface ControllerSettings extends SnapshotSettings {
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
}

export const defaultControllerSettings: ControllerSettings = {
  snapshotBytes: 20 * 1024 * 1024,
  snapshotIntervalMs: 3_600_000,
  entriesKept: 1_000,
  electionTimeoutMs: 1_000,
  heartbeatMs: 200,
};
