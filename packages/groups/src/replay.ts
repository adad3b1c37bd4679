import type { CoordinatorRecord, ReplayedBatch } from "@mantou/base";
import { DecodeError } from "@mantou/protocol";
import { ClassicGroup } from "./classic/classic-group.ts";
import { groupOfRecord } from "./classic/group-record.ts";
import { prepareRebalance } from "./classic/rebalance.ts";
import { keepAlive } from "./classic/session.ts";
import { consumerDoor } from "./consumer/index.ts";
import { dropIfForgettable } from "./group-table.ts";
import { decodeGroupMetadata, decodeGroupMetadataKey } from "./records/group-metadata.ts";
import { decodeOffsetCommitKey, decodeOffsetCommitValue } from "./records/offset-commit.ts";
import { RecordType, recordTypeOf } from "./records/record-key.ts";
import type { Scope } from "./scope.ts";

/**
 * Takes a record of the partition in. One that cannot be read, such as of a newer version than
 * ours, is passed over: the other groups of the shard are not to suffer for it.
 */
export function replayRecord(scope: Scope, record: CoordinatorRecord, batch: ReplayedBatch): void {
  const recordType = recordTypeOf(record.key);
  try {
    if (recordType === RecordType.GROUP_METADATA) replayGroup(scope, record);
    else if (
      recordType === RecordType.OFFSET_COMMIT ||
      recordType === RecordType.LEGACY_OFFSET_COMMIT
    ) {
      replayOffset(scope, record, batch);
    } else consumerDoor.replay(scope, recordType, record);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}

function replayGroup(scope: Scope, record: CoordinatorRecord): void {
  const groupId = decodeGroupMetadataKey(record.key);
  if (record.value !== null) {
    scope.groups.set(groupId, groupOfRecord(groupId, decodeGroupMetadata(record.value)));
    return;
  }
  // A group that went over to the consumer protocol has its tombstone here too.
  if (scope.groups.get(groupId)?.type === "classic") scope.groups.delete(groupId);
}

function replayOffset(scope: Scope, record: CoordinatorRecord, batch: ReplayedBatch): void {
  const { group, topic, partition } = decodeOffsetCommitKey(record.key);
  if (record.value === null) {
    scope.offsets.remove(group, topic, partition);
    return;
  }
  const committed = decodeOffsetCommitValue(record.value);
  if (batch.isTransactional) {
    scope.offsets.putPending(batch.producerId, group, topic, partition, committed);
  } else {
    scope.offsets.put(group, topic, partition, committed);
  }
}

/** All records are in: gives offsets their groups, and members their sessions. */
export function finishReplay(scope: Scope): void {
  for (const groupId of scope.offsets.groups()) {
    if (scope.groups.has(groupId)) continue;
    // More groups than there may be: what is stored is kept whatever the limit is now.
    scope.groups.set(groupId, new ClassicGroup(groupId, scope.now.wallMs));
  }
  for (const group of [...scope.groups.values()]) {
    if (group.type === "consumer") consumerDoor.loaded(scope, group);
    else finishClassicGroup(scope, group);
  }
}

function finishClassicGroup(scope: Scope, group: ClassicGroup): void {
  for (const member of group.members.values()) keepAlive(scope, group, member);
  const isTooLarge = group.members.size > scope.settings.classicMembersMax;
  // The limit was lowered: a round keeps the members that are too many out.
  if (isTooLarge) prepareRebalance(scope, group);
  dropIfForgettable(scope, group);
}
