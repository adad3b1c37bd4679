export { Admin } from "./admin.ts";
export type {
  AdminOptions,
  ClusterDescription,
  CreatedTopic,
  NewTopic,
  PartitionOffset,
} from "./admin.ts";
export {
  GroupAdmin,
  type CommittedOffset,
  type GroupDescription,
  type GroupMember,
  type ListedGroup,
  type OffsetToCommit,
  type TopicPartitions,
} from "./admin-groups.ts";
export {
  TransactionAdmin,
  type ActiveProducer,
  type HangingTransaction,
  type ListedTransaction,
  type TransactionDescription,
  type TransactionFilter,
} from "./admin-transactions.ts";
export type { ConfigChanges, ConfigEntry, ConfigResource } from "./admin-configs.ts";
export { type Address, parseAddress, parseAddresses } from "./addresses.ts";
export { Client, type ClientOptions } from "./client.ts";
export { Cluster, type ClusterOptions, type Leader } from "./cluster.ts";
export { codecs } from "./codecs.ts";
export {
  Connection,
  type ConnectionOptions,
  type Exchange,
  type SendOptions,
} from "./connection.ts";
export { type Assignment, Consumer, type ConsumerOptions, type PollOptions } from "./consumer.ts";
export type { ConsumedRecord, StartSpec } from "./consumer-partition.ts";
export {
  BrokerError,
  brokerError,
  ClientError,
  type ClientErrorCode,
  isRetriable,
} from "./errors.ts";
export type { Isolation, ListedOffset, OffsetSpec } from "./list-offsets.ts";
export type { Delivery, Message } from "./messages.ts";
export type { BrokerNode, ClusterMetadata, PartitionMetadata, TopicMetadata } from "./metadata.ts";
export { murmur2, partitionForKey } from "./partitioner.ts";
export { produceBatch, type ProduceBatchOptions, type ProducedBatch } from "./produce-batch.ts";
export { Producer } from "./producer.ts";
export type { Acks, ProducerOptions } from "./producer-options.ts";
export { retrying } from "./retry.ts";
export { type VersionRange, VersionTable } from "./versions.ts";
