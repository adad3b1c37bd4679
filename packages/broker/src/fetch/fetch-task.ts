import type { LogId } from "@mantou/base";
import type { AbortedTransaction } from "@mantou/replication";
import type { Call } from "../handler.ts";
import type { FetchSession } from "./fetch-sessions.ts";
import type { FetchSet } from "./fetch-set.ts";

/** One fetch on its way: planned, located, judged, parked and judged again, answered. */
export interface FetchTask {
  readonly call: Call;
  readonly set: FetchSet;
  /** The set's turn when the task began: a later request of its session has one of its own. */
  readonly turn: number;
  /** Null: sessionless, or no room for a session. */
  readonly session: FetchSession | null;
  /** An incremental answer leaves out partitions of which nothing is new. */
  readonly incremental: boolean;
  readonly readCommitted: boolean;
  readonly minBytes: number;
  readonly bytesMax: number;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Locates that a disk thread still works on. */
  pending: number;
  /** Rows that the answer says something about, in the order of the answer. */
  readonly found: FoundRow[];
  /** Record bytes found so far. */
  bytes: number;
  /** A partition has an error or has diverged: do not wait. */
  urgent: boolean;
}

/** What the plan found for one row of the set. */
export interface FoundRow {
  /** Where it stood in the set; another request of the session may have moved it meanwhile. */
  readonly row: number;
  readonly topic: string;
  readonly partition: number;
  /** -1 where the partition could not be resolved. */
  logId: LogId | -1;
  errorCode: number;
  /** A pinned file range, or length 0. */
  pin: number;
  position: number;
  length: number;
  /** Aborted transactions in what a read_committed fetch is given; null: there are none. */
  aborted: readonly AbortedTransaction[] | null;
  /** Set when the client's log has diverged from ours (KIP-595). */
  diverging: { readonly epoch: number; readonly endOffset: number } | null;
}
