import type { CoordinatorRecord, Uuid } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import type { OffsetCommitRequest, TxnOffsetCommitRequest } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { checkClassicCommit } from "../classic/validation.ts";
import { keepAlive } from "../classic/session.ts";
import type { OffsetCommit, TxnOffsetCommit } from "../commands.ts";
import type { Committer } from "../consumer-door.ts";
import { consumerDoor } from "../consumer/index.ts";
import { createClassicGroup, dropIfForgettable } from "../group-table.ts";
import { offsetCommitRecord } from "../records/offset-commit.ts";
import type { Scope } from "../scope.ts";
import type { CommittedOffset } from "./offset-store.ts";

/** From this version a commit names topics by id. */
const TOPIC_IDS_SINCE = { offsetCommit: 10, txnOffsetCommit: 6 };
/** From this version of OffsetCommit clients know GROUP_ID_NOT_FOUND. */
const GROUP_ID_NOT_FOUND_SINCE = 9;

type TopicToCommit =
  OffsetCommitRequest["topics"][number] | TxnOffsetCommitRequest["topics"][number];
type PartitionToCommit = TopicToCommit["partitions"][number];

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly errorCode: number;
}

interface TopicAnswer {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitions: PartitionAnswer[];
}

/** One commit, whichever request it came by. */
interface Commit {
  readonly groupId: string;
  readonly committer: Committer;
  readonly topics: readonly TopicToCommit[];
  readonly byTopicId: boolean;
  /** -1: not part of a transaction. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly expireTimestampMs: number;
}

export function offsetCommit(scope: Scope, ticket: number | null, command: OffsetCommit): void {
  const { request, version } = command;
  const commit: Commit = {
    groupId: request.groupId,
    committer: {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationIdOrMemberEpoch,
      isTransactional: false,
      version,
    },
    topics: request.topics,
    byTopicId: version >= TOPIC_IDS_SINCE.offsetCommit,
    producerId: -1,
    producerEpoch: -1,
    // Clients of versions 2 to 4 may still say how long they want an offset kept: for ever, even.
    expireTimestampMs:
      request.retentionTimeMs < 0
        ? -1
        : Math.min(scope.now.wallMs + request.retentionTimeMs, Number.MAX_SAFE_INTEGER),
  };
  scope.reply(ticket, "offsetCommit", { topics: commitAll(scope, commit) });
}

export function txnOffsetCommit(
  scope: Scope,
  ticket: number | null,
  command: TxnOffsetCommit,
): void {
  const { request, version } = command;
  const commit: Commit = {
    groupId: request.groupId,
    committer: {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationIdOrMemberEpoch,
      isTransactional: true,
      version: -1,
    },
    topics: request.topics,
    byTopicId: version >= TOPIC_IDS_SINCE.txnOffsetCommit,
    producerId: request.producerId,
    producerEpoch: request.producerEpoch,
    expireTimestampMs: -1,
  };
  scope.reply(ticket, "txnOffsetCommit", { topics: commitAll(scope, commit) });
}

function commitAll(scope: Scope, commit: Commit): TopicAnswer[] {
  const groupError = admit(scope, commit);
  const records: CoordinatorRecord[] = [];
  const answers = commit.topics.map((topic) =>
    commitTopic(scope, commit, topic, groupError, records),
  );
  const transaction =
    commit.producerId < 0
      ? null
      : { producerId: commit.producerId, producerEpoch: commit.producerEpoch };
  scope.writeApart(records, transaction);
  scope.counts.commits += records.length;
  const group = scope.groups.get(commit.groupId);
  if (group !== undefined) dropIfForgettable(scope, group);
  return answers;
}

/** Whether the group takes commits of this committer. Makes a simple group where there is none. */
function admit(scope: Scope, commit: Commit): ErrorCode {
  const { committer, groupId } = commit;
  // Lone consumers of old commit without a group's name; transactions do not.
  if (groupId === "" && committer.isTransactional) return ErrorCode.INVALID_GROUP_ID;
  const group = scope.groups.get(groupId);
  if (group === undefined) {
    if (committer.generationId >= 0) {
      const known = committer.version >= GROUP_ID_NOT_FOUND_SINCE;
      return known ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION;
    }
    const created = createClassicGroup(scope, groupId);
    return created === null ? ErrorCode.POLICY_VIOLATION : ErrorCode.NONE;
  }
  if (group.type === "consumer") {
    return consumerDoor.checkCommit(group, committer, () => partitionsOf(scope, commit));
  }
  const error = checkClassicCommit(group, committer);
  // Consumers of old had no heartbeats of their own: a commit keeps its member alive.
  if (error === ErrorCode.NONE && !committer.isTransactional) {
    const member = group.members.get(committer.memberId);
    if (member !== undefined) keepAlive(scope, group, member);
  }
  return error;
}

/** Partitions of topics that exist. */
function* partitionsOf(scope: Scope, commit: Commit): Iterable<readonly [Uuid, number]> {
  for (const topic of commit.topics) {
    const topicId = commit.byTopicId ? topic.topicId : scope.context.topics.idOf(topic.name);
    if (topicId === undefined) continue;
    for (const { partitionIndex } of topic.partitions) yield [topicId, partitionIndex];
  }
}

function commitTopic(
  scope: Scope,
  commit: Commit,
  topic: TopicToCommit,
  groupError: ErrorCode,
  records: CoordinatorRecord[],
): TopicAnswer {
  const { topics } = scope.context;
  const name = commit.byTopicId ? topics.nameOf(topic.topicId) : topic.name;
  const topicId = commit.byTopicId ? topic.topicId : ZERO_UUID;
  const partitionCount = name === undefined ? 0 : topics.partitionCount(name);
  const unknown = commit.byTopicId
    ? ErrorCode.UNKNOWN_TOPIC_ID
    : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  const partitions = topic.partitions.map((partition) => {
    let errorCode = groupError;
    if (name === undefined) errorCode = unknown;
    else if (partition.partitionIndex < 0 || partition.partitionIndex >= partitionCount) {
      errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    } else if (groupError === ErrorCode.NONE) {
      errorCode = commitPartition(scope, commit, name, topicId, partition, records);
    }
    return { partitionIndex: partition.partitionIndex, errorCode };
  });
  return { name: topic.name, topicId: topic.topicId, partitions };
}

function commitPartition(
  scope: Scope,
  commit: Commit,
  topic: string,
  topicId: Uuid,
  partition: PartitionToCommit,
  records: CoordinatorRecord[],
): ErrorCode {
  const { settings, offsets } = scope;
  const metadata = partition.committedMetadata ?? "";
  if (metadata.length > settings.offsetMetadataBytesMax) return ErrorCode.OFFSET_METADATA_TOO_LARGE;
  const { groupId, producerId } = commit;
  const index = partition.partitionIndex;
  if (offsets.size >= settings.bounds.offsetsMax) {
    const replaces = producerId < 0 && offsets.get(groupId, topic, index) !== undefined;
    if (!replaces) return ErrorCode.POLICY_VIOLATION;
  }
  const committed: CommittedOffset = {
    offset: partition.committedOffset,
    leaderEpoch: partition.committedLeaderEpoch,
    metadata,
    commitTimestampMs: scope.now.wallMs,
    expireTimestampMs: commit.expireTimestampMs,
    topicId,
  };
  records.push(offsetCommitRecord(groupId, topic, index, committed));
  if (producerId < 0) offsets.put(groupId, topic, index, committed);
  else offsets.putPending(producerId, groupId, topic, index, committed);
  return ErrorCode.NONE;
}
