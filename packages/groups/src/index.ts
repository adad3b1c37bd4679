export { ClassicGroup } from "./classic/classic-group.ts";
export type * from "./commands.ts";
export type {
  ConsumerSettings,
  GroupBounds,
  GroupContext,
  GroupSettings,
  TopicsView,
} from "./context.ts";
export {
  DEFAULT_CONSUMER_SETTINGS,
  DEFAULT_GROUP_BOUNDS,
  DEFAULT_GROUP_SETTINGS,
} from "./context.ts";
export type { CommittedOffset } from "./offsets/offset-store.ts";
export type { GroupMetadata } from "./records/group-metadata.ts";
export {
  decodeGroupMetadata,
  decodeGroupMetadataKey,
  groupMetadataRecord,
} from "./records/group-metadata.ts";
export {
  decodeOffsetCommitKey,
  decodeOffsetCommitValue,
  offsetCommitRecord,
} from "./records/offset-commit.ts";
export { RecordType, recordTypeOf } from "./records/record-key.ts";
export type { TopicPattern } from "./regex/index.ts";
export { compileTopicPattern } from "./regex/index.ts";
export type { GroupEffects } from "./scope.ts";
export { GroupShard } from "./shard.ts";
