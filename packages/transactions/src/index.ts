export type {
  AddPartitions,
  DescribeTransaction,
  EndTransaction,
  InitProducerId,
  ListTransactions,
  MarkersWritten,
  PartitionsReply,
  ProducerReply,
  TopicPartitions,
  TransactionCommand,
  TransactionDescription,
  TransactionListing,
  TransactionReply,
  TransactionRequest,
  VerifyPartitions,
} from "./commands.ts";
export type { TransactionEffects } from "./effects.ts";
export type { TransactionOptions } from "./shard-options.ts";
export { defaultTransactionOptions } from "./shard-options.ts";
export type { ClientVersion } from "./transaction.ts";
export {
  EPOCH_MAX,
  EPOCH_USABLE_MAX,
  TransactionState,
  transactionStateName,
  transactionStateOf,
} from "./transaction.ts";
export type { TransactionRecordVersion } from "./transaction-record.ts";
export {
  decodeTransactionKey,
  decodeTransactionValue,
  encodeTransaction,
  forgetTransaction,
} from "./transaction-record.ts";
export { TransactionShard } from "./transaction-shard.ts";
