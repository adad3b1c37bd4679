import {
  type ConsumerGroupDescribeResponse,
  type DescribeGroupsResponse,
  consumerGroupDescribeApi,
  decodeConsumerAssignment,
  deleteGroupsApi,
  describeGroupsApi,
  DecodeError,
  ErrorCode,
  leaveGroupApi,
  listGroupsApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
} from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { onCoordinator, onEveryBroker, throwIfMoved } from "./coordinators.ts";
import { BrokerError, brokerError, throwIfError } from "./errors.ts";

export interface ListedGroup {
  readonly groupId: string;
  /** "consumer" for consumers of either protocol; others (Connect, …) have their own. */
  readonly protocolType: string;
  /** Empty where the broker is too old to tell. */
  readonly state: string;
  /** "classic", "consumer", "share", …; empty where the broker is too old to tell. */
  readonly type: string;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface GroupMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** -1 for members of classic groups. */
  readonly memberEpoch: number;
  readonly assignment: readonly TopicPartitions[];
}

export interface GroupDescription {
  readonly groupId: string;
  readonly type: "classic" | "consumer";
  readonly state: string;
  readonly protocolType: string;
  readonly assignor: string;
  /** -1 for classic groups: the protocol does not tell it. */
  readonly groupEpoch: number;
  readonly members: readonly GroupMember[];
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** -1: not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** The last version that names topics; later ones have ids only. */
const NAMED_TOPICS_MAX = 9;
/** From here on a request names several groups. */
const BATCHED_SINCE = 8;
const MEMBERS_SINCE = 3;

/** What an operator does with consumer groups. */
export class GroupAdmin {
  constructor(private readonly cluster: Cluster) {}

  /** All groups of the cluster, by name. Throws BrokerError. */
  async list(): Promise<ListedGroup[]> {
    const answers = await onEveryBroker(this.cluster, (connection) =>
      this.cluster.call(connection, listGroupsApi, {}),
    );
    const groups = new Map<string, ListedGroup>();
    for (const { errorCode, groups: listed } of answers) {
      throwIfError(errorCode, "ListGroups");
      for (const { groupId, protocolType, groupState, groupType } of listed) {
        groups.set(groupId, { groupId, protocolType, state: groupState, type: groupType });
      }
    }
    return [...groups.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
  }

  /** Throws BrokerError: GROUP_ID_NOT_FOUND where there is no such group. */
  describe(groupId: string): Promise<GroupDescription> {
    return onCoordinator(this.cluster, "group", groupId, async (connection) => {
      const what = `group ${groupId}`;
      if (connection.versions.range(consumerGroupDescribeApi) !== undefined) {
        const request = { groupIds: [groupId], includeAuthorizedOperations: false };
        const answer = await this.cluster.call(connection, consumerGroupDescribeApi, request);
        const [group] = answer.groups;
        throwIfMoved(group?.errorCode ?? -1, what);
        if (group?.errorCode === ErrorCode.NONE) return ofConsumerGroup(group);
      }
      const answer = await this.cluster.call(connection, describeGroupsApi, { groups: [groupId] });
      const [group] = answer.groups;
      throwIfMoved(group?.errorCode ?? -1, what);
      throwIfError(group?.errorCode ?? -1, what, group?.errorMessage ?? null);
      // Before version 6 a group that does not exist was called dead.
      if (group === undefined || group.groupState === "Dead") {
        throw new BrokerError(ErrorCode.GROUP_ID_NOT_FOUND, what);
      }
      return ofClassicGroup(group);
    });
  }

  /** What the group has committed. Throws BrokerError. */
  offsets(groupId: string): Promise<CommittedOffset[]> {
    return onCoordinator(this.cluster, "group", groupId, async (connection) => {
      const version = connection.versions.pick(offsetFetchApi, NAMED_TOPICS_MAX);
      const isBatched = version >= BATCHED_SINCE;
      const answer = await connection.send(
        offsetFetchApi,
        version,
        isBatched ? { groups: [{ groupId, topics: null }] } : { groupId, topics: null },
      );
      const group = isBatched ? answer.groups[0] : answer;
      throwIfError(group?.errorCode ?? -1, `offsets of group ${groupId}`);
      const offsets: CommittedOffset[] = [];
      for (const { name, partitions } of group?.topics ?? []) {
        for (const entry of partitions) {
          throwIfError(entry.errorCode, `offset of ${name}-${entry.partitionIndex}`);
          if (entry.committedOffset < 0) continue;
          offsets.push({
            topic: name,
            partition: entry.partitionIndex,
            offset: entry.committedOffset,
            leaderEpoch: entry.committedLeaderEpoch,
            metadata: entry.metadata ?? "",
          });
        }
      }
      return offsets;
    });
  }

  /** Sets committed offsets of a group without members. Throws BrokerError. */
  async commit(groupId: string, offsets: readonly OffsetToCommit[]): Promise<void> {
    const topics = [...byTopic(offsets)].map(([name, entries]) => ({
      name,
      partitions: entries.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedMetadata: "",
      })),
    }));
    await onCoordinator(this.cluster, "group", groupId, async (connection) => {
      const version = connection.versions.pick(offsetCommitApi, NAMED_TOPICS_MAX);
      const answer = await connection.send(offsetCommitApi, version, { groupId, topics });
      for (const { name, partitions } of answer.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          throwIfError(errorCode, `commit ${name}-${partitionIndex} of group ${groupId}`);
        }
      }
    });
  }

  /** Forgets committed offsets; gives those that could not be, with the reason. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<
    { readonly topic: string; readonly partition: number; readonly error: BrokerError }[]
  > {
    const topics = [...byTopic(partitions)].map(([name, entries]) => ({
      name,
      partitions: entries.map(({ partition }) => ({ partitionIndex: partition })),
    }));
    return onCoordinator(this.cluster, "group", groupId, async (connection) => {
      const answer = await this.cluster.call(connection, offsetDeleteApi, { groupId, topics });
      throwIfError(answer.errorCode, `offsets of group ${groupId}`);
      return answer.topics.flatMap(({ name, partitions: results }) =>
        results.flatMap(({ partitionIndex, errorCode }) => {
          const error = brokerError(errorCode, `offset of ${name}-${partitionIndex}`);
          return error === null ? [] : [{ topic: name, partition: partitionIndex, error }];
        }),
      );
    });
  }

  /** Deletes a group and its offsets. Throws BrokerError: NON_EMPTY_GROUP while it has members. */
  async delete(groupId: string): Promise<void> {
    await onCoordinator(this.cluster, "group", groupId, async (connection) => {
      const request = { groupsNames: [groupId] };
      const answer = await this.cluster.call(connection, deleteGroupsApi, request);
      const [result] = answer.results;
      throwIfError(result?.errorCode ?? -1, `delete group ${groupId}`, result?.errorMessage);
    });
  }

  /** Takes members out of a classic group; gives those that could not be, with the reason. */
  async removeMembers(
    groupId: string,
    members: readonly { readonly memberId: string; readonly instanceId: string | null }[],
  ): Promise<{ readonly memberId: string; readonly error: BrokerError }[]> {
    return onCoordinator(this.cluster, "group", groupId, async (connection) => {
      if (connection.versions.pick(leaveGroupApi) < MEMBERS_SINCE) {
        throw new BrokerError(ErrorCode.UNSUPPORTED_VERSION, "remove members");
      }
      const answer = await this.cluster.call(connection, leaveGroupApi, {
        groupId,
        members: members.map(({ memberId, instanceId }) => ({
          // A static member is named by its instance, whatever its id is now.
          memberId: instanceId === null ? memberId : "",
          groupInstanceId: instanceId,
          reason: "removed by an operator",
        })),
      });
      throwIfError(answer.errorCode, `members of group ${groupId}`);
      return answer.members.flatMap(({ memberId, groupInstanceId, errorCode }) => {
        const error = brokerError(errorCode, `member ${groupInstanceId ?? memberId}`);
        return error === null ? [] : [{ memberId, error }];
      });
    });
  }
}

function ofConsumerGroup(group: ConsumerGroupDescribeResponse["groups"][number]): GroupDescription {
  return {
    groupId: group.groupId,
    type: "consumer",
    state: group.groupState,
    protocolType: "consumer",
    assignor: group.assignorName,
    groupEpoch: group.groupEpoch,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: member.memberEpoch,
      assignment: member.assignment.topicPartitions.map(({ topicName, partitions }) => ({
        topic: topicName,
        partitions,
      })),
    })),
  };
}

function ofClassicGroup(group: DescribeGroupsResponse["groups"][number]): GroupDescription {
  const isConsumer = group.protocolType === "consumer";
  return {
    groupId: group.groupId,
    type: "classic",
    state: group.groupState,
    protocolType: group.protocolType,
    assignor: group.protocolData,
    groupEpoch: -1,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberEpoch: -1,
      assignment: isConsumer ? assignmentOf(member.memberAssignment) : [],
    })),
  };
}

/** What a member says of its assignment is its own affair: what does not parse is shown as none. */
function assignmentOf(bytes: Uint8Array): TopicPartitions[] {
  if (bytes.length === 0) return [];
  try {
    return decodeConsumerAssignment(bytes).assignedPartitions;
  } catch (error) {
    if (error instanceof DecodeError) return [];
    throw error;
  }
}

function byTopic<T extends { readonly topic: string }>(entries: readonly T[]): Map<string, T[]> {
  const topics = new Map<string, T[]>();
  for (const entry of entries) {
    const known = topics.get(entry.topic);
    if (known === undefined) topics.set(entry.topic, [entry]);
    else known.push(entry);
  }
  return topics;
}
