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
export { groupMetadataRecord } from "./records/group-metadata.ts";
export { GroupShard } from "./shard.ts";
export type { GroupEffects } from "./scope.ts";
