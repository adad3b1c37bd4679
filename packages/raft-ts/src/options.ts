import { assert } from "@mantou/base";
import type { NodeId } from "./types.ts";

/** Times are milliseconds of whatever monotonic clock the driver passes to `step`. */
export interface Options {
  readonly id: NodeId;
  /** Seeds this node's own generator of election timeouts. Give each node another one. */
  readonly seed: number;
  /** Election timeouts are drawn from [T, 2T). Also the span of a leader's check-quorum. */
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Data of one append message, unless one proposal alone is larger. */
  readonly messageBytesMax: number;
  /** Append messages on their way to one follower. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Proposals beyond this much uncommitted data are refused as `overloaded`. */
  readonly uncommittedBytesMax: number;
  /** One proposal, all of its entries together. */
  readonly proposalBytesMax: number;
  readonly readsPendingMax: number;
  /** How far a learner may be behind, in entries, when it is promoted. */
  readonly promotionLagMax: number;
  /** After this time without an answer a snapshot counts as lost and is sent again. */
  readonly snapshotTimeoutMs: number;
  /** Writes handed out and not yet completed, beyond which messages are refused as `busy`. */
  readonly writesOutstandingMax: number;
}

export const defaultOptions: Omit<Options, "id" | "seed"> = {
  electionTimeoutMs: 1_000,
  heartbeatMs: 200,
  messageBytesMax: 1 << 20,
  inflightMessagesMax: 64,
  inflightBytesMax: 8 << 20,
  uncommittedBytesMax: 32 << 20,
  // Kafka's largest metadata batch (KIP-595).
  proposalBytesMax: 8 << 20,
  readsPendingMax: 10_000,
  promotionLagMax: 1_000,
  snapshotTimeoutMs: 60_000,
  writesOutstandingMax: 1_024,
};

/** Bytes an entry counts for beside its data, so that empty entries are bounded too. */
export const ENTRY_OVERHEAD_BYTES = 32;

/** The limits' relations to each other. */
export function assertOptions(options: Options): void {
  assert(Number.isSafeInteger(options.id) && options.id >= 0, "id is an integer from 0");
  assert(options.id < 2 ** 31, "id fits 31 bits");
  assert(options.heartbeatMs > 0, "heartbeatMs is positive");
  // At least two heartbeats fit, so that one lost message does not cost a leader.
  assert(options.electionTimeoutMs >= 2 * options.heartbeatMs, "two heartbeats per timeout");
  assert(options.messageBytesMax > 0, "messageBytesMax is positive");
  assert(options.inflightMessagesMax > 0, "inflightMessagesMax is positive");
  assert(options.inflightBytesMax >= options.messageBytesMax, "a message fits in flight");
  assert(options.uncommittedBytesMax >= options.proposalBytesMax, "a proposal fits uncommitted");
  assert(options.readsPendingMax > 0, "readsPendingMax is positive");
  assert(options.writesOutstandingMax > 0, "writesOutstandingMax is positive");
}
