import type { CoordinatorRecord } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { OffsetDelete, Replies, TopicsDeleted } from "../commands.ts";
import { isSubscribed } from "../group-facts.ts";
import type { Group } from "../group.ts";
import { dropIfForgettable } from "../group-table.ts";
import { offsetTombstone } from "../records/offset-commit.ts";
import type { Scope } from "../scope.ts";
import type { CommittedOffset } from "./offset-store.ts";

export function offsetDelete(scope: Scope, ticket: number | null, command: OffsetDelete): void {
  scope.reply(ticket, "offsetDelete", deleteFor(scope, command));
}

function deleteFor(scope: Scope, { request }: OffsetDelete): Replies["offsetDelete"] {
  if (request.groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID, topics: [] };
  const group = scope.groups.get(request.groupId);
  if (group === undefined) return { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, topics: [] };
  // Nobody can tell what the members of a foreign protocol are reading.
  if (group.type === "classic" && group.state !== "Empty" && !group.speaksConsumer) {
    return { errorCode: ErrorCode.NON_EMPTY_GROUP, topics: [] };
  }
  const records: CoordinatorRecord[] = [];
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: deleteOne(scope, group, name, partitionIndex, records),
    })),
  }));
  scope.writeApart(records);
  dropIfForgettable(scope, group);
  return { errorCode: ErrorCode.NONE, topics };
}

function deleteOne(
  scope: Scope,
  group: Group,
  topic: string,
  partition: number,
  records: CoordinatorRecord[],
): ErrorCode {
  if (isSubscribed(group, topic)) return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC;
  if (scope.offsets.remove(group.groupId, topic, partition)) {
    records.push(offsetTombstone(group.groupId, topic, partition));
    return ErrorCode.NONE;
  }
  const count = scope.context.topics.partitionCount(topic);
  const exists = partition >= 0 && partition < count;
  return exists ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}

/** Takes away all offsets of a group, pending ones too. @returns their tombstones. */
export function removeAllOffsets(scope: Scope, groupId: string): CoordinatorRecord[] {
  return scope.offsets.partitionsOf(groupId).map(({ topic, partition }) => {
    scope.offsets.remove(groupId, topic, partition);
    return offsetTombstone(groupId, topic, partition);
  });
}

/** Offsets of topics that are gone. One that was committed for another topic of the name stays. */
export function topicsDeleted(scope: Scope, command: TopicsDeleted): void {
  const records: CoordinatorRecord[] = [];
  for (const groupId of scope.offsets.groups()) {
    for (const { name, topicId } of command.topics) {
      const gone = new Set<number>();
      const look = (partition: number, { topicId: of }: CommittedOffset): void => {
        if (of === ZERO_UUID || topicId === ZERO_UUID || of === topicId) gone.add(partition);
      };
      for (const { partition, committed } of scope.offsets.storedOf(groupId, name)) {
        look(partition, committed);
      }
      for (const { partition, committed } of scope.offsets.pendingOf(groupId, name)) {
        look(partition, committed);
      }
      for (const partition of gone) {
        scope.offsets.remove(groupId, name, partition);
        records.push(offsetTombstone(groupId, name, partition));
      }
    }
    const group = scope.groups.get(groupId);
    if (group !== undefined) dropIfForgettable(scope, group);
  }
  scope.writeApart(records);
}
