import type { TransactionRecordVersion } from "./transaction-record.ts";

/** What governs the transactions of a shard. Times in milliseconds. */
export interface TransactionOptions {
  /** `transaction.max.timeout.ms`: the longest timeout that a producer may ask for. */
  readonly timeoutMaxMs: number;
  /** `transactional.id.expiration.ms`: an id that was not used for so long is forgotten. */
  readonly idExpirationMs: number;
  /** `transaction.abort.timed.out.transaction.cleanup.interval.ms`. */
  readonly sweepIntervalMs: number;
  /** `transaction.remove.expired.transaction.cleanup.interval.ms`. */
  readonly expireIntervalMs: number;
  /** Transactional ids that the shard remembers. Beyond it: POLICY_VIOLATION for new ones. */
  readonly idsMax: number;
  /** Partitions of one transaction. Beyond it: POLICY_VIOLATION. */
  readonly partitionsMax: number;
  /**
   * How long a request for the next transaction waits for the markers of the one before, rather
   * than being sent away with CONCURRENT_TRANSACTIONS. 0: not at all.
   */
  readonly concurrentWaitMs: number;
  /** Version of written values: 1 from transaction.version 1 on. */
  readonly recordVersion: TransactionRecordVersion;
}

/** Kafka's defaults, and our own bounds. */
export const defaultTransactionOptions: TransactionOptions = {
  timeoutMaxMs: 900_000,
  idExpirationMs: 604_800_000,
  sweepIntervalMs: 10_000,
  expireIntervalMs: 3_600_000,
  idsMax: 100_000,
  partitionsMax: 10_000,
  concurrentWaitMs: 1000,
  recordVersion: 1,
};

/** Requests that wait for one transaction; a producer sends one at a time. */
export const WAITING_MAX = 4;
