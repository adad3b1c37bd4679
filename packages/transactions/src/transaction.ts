import type { TopicPartitions } from "./commands.ts";

/** Where a transactional id stands; the numbers are stored (`TransactionStatus` in Kafka). */
export const TransactionState = {
  EMPTY: 0,
  ONGOING: 1,
  PREPARE_COMMIT: 2,
  PREPARE_ABORT: 3,
  COMPLETE_COMMIT: 4,
  COMPLETE_ABORT: 5,
  DEAD: 6,
  /** Kafka's name for an abort by the coordinator that is not written yet; never stored. */
  PREPARE_EPOCH_FENCE: 7,
} as const;
export type TransactionState = (typeof TransactionState)[keyof typeof TransactionState];

const names: readonly string[] = [
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Dead",
  "PrepareEpochFence",
];

/** The name that DescribeTransactions and ListTransactions show. */
export const transactionStateName = (state: TransactionState): string => names[state] as string;

/** The state of a name, or undefined. */
export function transactionStateOf(name: string): TransactionState | undefined {
  const state = names.indexOf(name);
  return state < 0 ? undefined : (state as TransactionState);
}

export const NO_PRODUCER_ID = -1;
export const NO_EPOCH = -1;
/** Only the coordinator itself raises an epoch to this one, to fence whoever has the one below. */
export const EPOCH_MAX = 0x7fff;
/** The last epoch that a producer is given; afterwards it gets a new producer id. */
export const EPOCH_USABLE_MAX = EPOCH_MAX - 1;

/** Flow of the client (KIP-890): 0 the old one, 2 the one that raises the epoch at each end. */
export type ClientVersion = 0 | 2;

/** Partitions by topic. */
export type PartitionSet = Map<string, Set<number>>;

/** One transactional id, as it is stored, and below what is only remembered. */
export interface Transaction {
  readonly transactionalId: string;
  producerId: number;
  producerEpoch: number;
  /** The producer id before the last change of it, or -1. */
  previousProducerId: number;
  /** The id that its producer goes on with once the transaction is complete, or -1. */
  nextProducerId: number;
  timeoutMs: number;
  state: TransactionState;
  partitions: PartitionSet;
  /** Wall clock; -1: none was started. */
  startMs: number;
  updateMs: number;
  clientVersion: number;
  /** The epoch before InitProducerId raised it, so that a request sent again is known; or -1. */
  lastProducerEpoch: number;
  /** Monotonic: when an ongoing transaction is aborted. Infinity: nothing is under way. */
  deadlineMs: number;
  /** Of the transaction that is being completed: partitions without a marker. */
  unmarked: PartitionSet | null;
  /** Requests for the next transaction that wait until this one is complete. */
  readonly waiting: number[];
}

export const isPrepared = ({ state }: Transaction): boolean =>
  state === TransactionState.PREPARE_COMMIT || state === TransactionState.PREPARE_ABORT;

export const isComplete = ({ state }: Transaction): boolean =>
  state === TransactionState.COMPLETE_COMMIT || state === TransactionState.COMPLETE_ABORT;

export function newTransaction(transactionalId: string): Transaction {
  return {
    transactionalId,
    producerId: NO_PRODUCER_ID,
    producerEpoch: NO_EPOCH,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    timeoutMs: 0,
    state: TransactionState.EMPTY,
    partitions: new Map(),
    startMs: -1,
    updateMs: 0,
    clientVersion: 0,
    lastProducerEpoch: NO_EPOCH,
    deadlineMs: Infinity,
    unmarked: null,
    waiting: [],
  };
}

export function countPartitions(set: PartitionSet): number {
  let count = 0;
  for (const partitions of set.values()) count += partitions.size;
  return count;
}

/** Those of `topics` that are not in the set. */
export function missingFrom(
  set: PartitionSet,
  topics: readonly TopicPartitions[],
): TopicPartitions[] {
  return topics.flatMap(({ topic, partitions }) => {
    const known = set.get(topic);
    const missing = partitions.filter((partition) => known?.has(partition) !== true);
    return missing.length === 0 ? [] : [{ topic, partitions: [...new Set(missing)] }];
  });
}

export function addTo(set: PartitionSet, topics: readonly TopicPartitions[]): void {
  for (const { topic, partitions } of topics) {
    let known = set.get(topic);
    if (known === undefined) set.set(topic, (known = new Set()));
    for (const partition of partitions) known.add(partition);
  }
}

export function removeFrom(set: PartitionSet, topics: readonly TopicPartitions[]): void {
  for (const { topic, partitions } of topics) {
    const known = set.get(topic);
    if (known === undefined) continue;
    for (const partition of partitions) known.delete(partition);
    if (known.size === 0) set.delete(topic);
  }
}

export const copyOf = (set: PartitionSet): PartitionSet =>
  new Map([...set].map(([topic, partitions]) => [topic, new Set(partitions)]));

export const listOf = (set: PartitionSet): TopicPartitions[] =>
  [...set].map(([topic, partitions]) => ({ topic, partitions: [...partitions] }));
