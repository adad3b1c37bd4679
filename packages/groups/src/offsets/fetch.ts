import type { Uuid } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { OffsetFetch, Replies } from "../commands.ts";
import { consumerDoor } from "../consumer/index.ts";
import type { Scope } from "../scope.ts";
import type { CommittedOffset } from "./offset-store.ts";

/** From this version topics are named by id. */
const TOPIC_IDS_SINCE = 10;

type TopicAnswer = Replies["offsetFetch"]["topics"][number];
type PartitionAnswer = TopicAnswer["partitions"][number];

export function offsetFetch(scope: Scope, ticket: number | null, command: OffsetFetch): void {
  scope.reply(ticket, "offsetFetch", fetchGroup(scope, command));
}

function fetchGroup(scope: Scope, command: OffsetFetch): Replies["offsetFetch"] {
  const { groupId, memberId, memberEpoch, topics } = command.group;
  const group = scope.groups.get(groupId);
  if (group?.type === "consumer") {
    const errorCode = consumerDoor.checkFetch(group, memberId, memberEpoch);
    if (errorCode !== ErrorCode.NONE) return { groupId, topics: [], errorCode };
  }
  const answers =
    topics === null
      ? fetchAll(scope, command)
      : topics.map((topic) => fetchTopic(scope, command, topic));
  return { groupId, topics: answers, errorCode: ErrorCode.NONE };
}

function fetchTopic(
  scope: Scope,
  command: OffsetFetch,
  topic: NonNullable<OffsetFetch["group"]["topics"]>[number],
): TopicAnswer {
  const byId = command.version >= TOPIC_IDS_SINCE;
  const name = byId ? scope.context.topics.nameOf(topic.topicId) : topic.name;
  const { groupId } = command.group;
  const partitions = topic.partitionIndexes.map((partition) => {
    if (name === undefined) return nothing(partition, ErrorCode.UNKNOWN_TOPIC_ID);
    if (isUnstable(scope, command, name, partition)) return unstable(partition);
    const committed = scope.offsets.get(groupId, name, partition);
    const isOther = committed === undefined || (byId && isOfOther(committed, topic.topicId));
    return isOther ? nothing(partition, ErrorCode.NONE) : answered(partition, committed);
  });
  return { name: topic.name, topicId: topic.topicId, partitions };
}

/** All that the group has. By id, what belongs to a topic that is there. */
function fetchAll(scope: Scope, command: OffsetFetch): TopicAnswer[] {
  const { groupId } = command.group;
  const byTopic = new Map<string, { topicId: Uuid; partitions: PartitionAnswer[] }>();
  scope.offsets.forEachOf(groupId, (topic, partition, committed) => {
    const topicId = scope.context.topics.idOf(topic) ?? ZERO_UUID;
    if (command.version >= TOPIC_IDS_SINCE) {
      if (topicId === ZERO_UUID || isOfOther(committed, topicId)) return;
    }
    let answer = byTopic.get(topic);
    if (answer === undefined) byTopic.set(topic, (answer = { topicId, partitions: [] }));
    answer.partitions.push(
      isUnstable(scope, command, topic, partition)
        ? unstable(partition)
        : answered(partition, committed),
    );
  });
  return [...byTopic].map(([name, answer]) => ({ name, ...answer }));
}

/** An offset of a topic that had this name before. */
function isOfOther(committed: CommittedOffset, topicId: Uuid): boolean {
  return committed.topicId !== ZERO_UUID && committed.topicId !== topicId;
}

/** A transaction is about to change the offset, and the reader wants to know how it ends. */
function isUnstable(scope: Scope, command: OffsetFetch, topic: string, partition: number): boolean {
  return command.requireStable && scope.offsets.hasPending(command.group.groupId, topic, partition);
}

const answered = (partitionIndex: number, committed: CommittedOffset): PartitionAnswer => ({
  partitionIndex,
  committedOffset: committed.offset,
  committedLeaderEpoch: committed.leaderEpoch,
  metadata: committed.metadata,
  errorCode: ErrorCode.NONE,
});

const nothing = (partitionIndex: number, errorCode: ErrorCode): PartitionAnswer => ({
  partitionIndex,
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: "",
  errorCode,
});

const unstable = (partitionIndex: number): PartitionAnswer =>
  nothing(partitionIndex, ErrorCode.UNSTABLE_OFFSET_COMMIT);
