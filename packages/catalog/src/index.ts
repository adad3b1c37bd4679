export { apply } from "./apply.ts";
export type {
  AllocateProducerIds,
  AlterPartitions,
  AlteredPartition,
  ChangeConfigs,
  Command,
  ConfigReply,
  CreatePartitions,
  CreateTopics,
  CreatedTopic,
  DecideContext,
  Decision,
  DeleteTopics,
  DeletedTopic,
  FenceBroker,
  InitializeCluster,
  ItemReply,
  NamedReply,
  NewTopic,
  ProducerIdBlock,
  RegisterBroker,
  RegisteredBroker,
  Replies,
  ReplaceConfigs,
  ReplyTo,
  UnregisterBroker,
} from "./commands.ts";
export { ConfigOperation } from "./commands.ts";
export type {
  BrokerConfig,
  GroupBrokerConfig,
  InternalTopicConfig,
} from "./configs/broker-config.ts";
export {
  brokerConfigNameOf,
  parseBrokerConfig,
  resolveBrokerConfig,
} from "./configs/broker-config.ts";
export { brokerConfigs } from "./configs/broker-configs.ts";
export type { CleanerConfig } from "./configs/compaction-configs.ts";
export type { ConfigDefinition, TopicConfigDefinition } from "./configs/definition.ts";
export { ConfigSource, ConfigType } from "./configs/definition.ts";
export type { DescribedConfig } from "./configs/describe-configs.ts";
export {
  describeAllBrokersConfigs,
  describeBrokerConfigs,
  describeTopicConfigs,
} from "./configs/describe-configs.ts";
export { describeGroupConfigs, groupConfigs } from "./configs/group-config.ts";
export type { ListenerAddress } from "./configs/listeners.ts";
export { parseAdminAddress } from "./configs/listeners.ts";
export { parseListeners } from "./configs/listeners.ts";
export type { TopicConfig, TopicLogConfig } from "./configs/topic-config.ts";
export { logConfigOf, resolveTopicConfig } from "./configs/topic-config.ts";
export { topicConfigs } from "./configs/topic-configs.ts";
export { PRODUCER_ID_BLOCK_SIZE, decide } from "./decide.ts";
export { PARTITIONS_PER_COMMAND_MAX } from "./decide/create-topics.ts";
export type { SupportedFeature } from "./features.ts";
export { METADATA_VERSION, supportedFeatures } from "./features.ts";
export type { BrokerImage, ConfigResourceType } from "./image.ts";
export { ALL_BROKERS, CatalogImage, ConfigResource, newImage } from "./image.ts";
export { checkInvariants } from "./invariants.ts";
export type { Endpoint, MetadataRecord, RecordFault, RecordKind, RecordOf } from "./records.ts";
export { LEADER_UNCHANGED, NO_LEADER, decodeRecords, encodeRecords } from "./records.ts";
export { encodeSnapshot, restoreSnapshot, snapshotRecords } from "./snapshot.ts";
export { TopicImage } from "./topic-image.ts";
export {
  METADATA_TOPIC,
  TOPIC_NAME_LENGTH_MAX,
  isInternalTopic,
  topicNameFault,
} from "./topic-name.ts";
