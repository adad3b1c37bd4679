import {
  type Check,
  type ConfigDefinition,
  ConfigType,
  boolean,
  int,
  oneOf,
} from "./definition.ts";

const define = (
  name: string,
  type: ConfigType,
  fallback: string,
  check: Check,
  documentation: string,
): ConfigDefinition => ({ name, type, fallback, check, documentation, dynamic: false });

const milliseconds = (name: string, fallback: number, documentation: string): ConfigDefinition =>
  define(name, ConfigType.INT, String(fallback), int(1), documentation);

/** Settings of the transaction coordinator, as typed. Times in milliseconds. */
export interface TransactionBrokerConfig {
  readonly timeoutMaxMs: number;
  readonly idExpirationMs: number;
  readonly sweepIntervalMs: number;
  readonly expireIntervalMs: number;
  readonly concurrentWaitMs: number;
  readonly idsPerPartitionMax: number;
  readonly partitionsMax: number;
  readonly verifiesPartitions: boolean;
}

export const transactionBrokerConfigs: readonly ConfigDefinition[] = [
  milliseconds(
    "transaction.max.timeout.ms",
    900_000,
    "Longest transaction timeout that a producer may ask for.",
  ),
  milliseconds(
    "transactional.id.expiration.ms",
    604_800_000,
    "Time without use after which a transactional id is forgotten.",
  ),
  milliseconds(
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    10_000,
    "Time between two looks for transactions that have run for longer than their timeout.",
  ),
  milliseconds(
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    3_600_000,
    "Time between two looks for transactional ids that were not used for too long.",
  ),
  define(
    "add.partitions.to.txn.retry.backoff.max.ms",
    ConfigType.INT,
    "100",
    int(0),
    "How long the first write of a transaction waits for the end of its producer's last one. 0: the client is told to try again.",
  ),
  {
    ...define(
      "transaction.partition.verification.enable",
      ConfigType.BOOLEAN,
      "true",
      boolean,
      "Whether a partition asks the coordinator before it takes the first records of a transaction.",
    ),
    dynamic: true,
  },
  define(
    "transaction.two.phase.commit.enable",
    ConfigType.BOOLEAN,
    "false",
    oneOf("false"),
    "Two-phase commit by clients (KIP-939) is not served.",
  ),
  define(
    "mantou.transactional.ids.per.partition.max",
    ConfigType.INT,
    "100000",
    int(1, 10_000_000),
    "Transactional ids that one partition of __transaction_state remembers. Beyond it new ones are refused with POLICY_VIOLATION.",
  ),
  define(
    "mantou.transaction.partitions.max",
    ConfigType.INT,
    "10000",
    int(1, 100_000),
    "Partitions of one transaction. Beyond it POLICY_VIOLATION.",
  ),
];

export function transactionSettings(
  integer: (name: string) => number,
  flag: (name: string) => boolean,
): TransactionBrokerConfig {
  const cleanup = (what: string): number => integer(`transaction.${what}.cleanup.interval.ms`);
  return {
    timeoutMaxMs: integer("transaction.max.timeout.ms"),
    idExpirationMs: integer("transactional.id.expiration.ms"),
    sweepIntervalMs: cleanup("abort.timed.out.transaction"),
    expireIntervalMs: cleanup("remove.expired.transaction"),
    concurrentWaitMs: integer("add.partitions.to.txn.retry.backoff.max.ms"),
    idsPerPartitionMax: integer("mantou.transactional.ids.per.partition.max"),
    partitionsMax: integer("mantou.transaction.partitions.max"),
    verifiesPartitions: flag("transaction.partition.verification.enable"),
  };
}
