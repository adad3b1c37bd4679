export type { AbortedInRange, AbortedRange, AbortedTransaction } from "./aborted-transactions.ts";
export type { CleanEntry } from "./cleaner-checkpoint.ts";
export {
  CLEANER_CHECKPOINT,
  decodeCleanerCheckpoint,
  encodeCleanerCheckpoint,
} from "./cleaner-checkpoint.ts";
export type { CompactionInput, CompactionPlan } from "./compaction-plan.ts";
export { planCompaction } from "./compaction-plan.ts";
export { epochsFromHeaders } from "./epochs-from-headers.ts";
export type { EpochEnd, EpochEntry } from "./leader-epochs.ts";
export { LeaderEpochs } from "./leader-epochs.ts";
export {
  LEADER_EPOCH_CHECKPOINT,
  decodeLeaderEpochCheckpoint,
  encodeLeaderEpochCheckpoint,
} from "./leader-epoch-checkpoint.ts";
export type {
  IsrChange,
  Membership,
  OpenedPartition,
  PartitionInput,
  PartitionOutbox,
  PartitionTableOptions,
} from "./partition-inputs.ts";
export { PartitionReads } from "./partition-reads.ts";
export { PartitionTable } from "./partition-table.ts";
export { BATCHES_REMEMBERED } from "./producer-columns.ts";
export type { Marker, MarkerVerdict } from "./producer-transactions.ts";
export type {
  ProducerBatch,
  ProducerEntry,
  ProducerSnapshot,
  SavedTransactions,
  SnapshotFault,
} from "./producer-snapshot.ts";
export {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  producerSnapshotName,
  producerSnapshotOffset,
} from "./producer-snapshot.ts";
export type { ProducerLimits } from "./producer-memory.ts";
export type { ProducerDescription, Verdict } from "./producer-states.ts";
export { HEADER_ROW_DOUBLES, HeaderRow, ProducerStates } from "./producer-states.ts";
