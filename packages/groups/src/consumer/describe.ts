import { ErrorCode } from "@mantou/protocol";
import type { Assignment } from "../assignors/index.ts";
import type { Replies } from "../commands.ts";
import type { Scope } from "../scope.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import { union } from "./partitions.ts";
import { assignorName } from "./target.ts";

type Described = Replies["consumerGroupDescribe"];

const CLASSIC_MEMBER = 0;
const CONSUMER_MEMBER = 1;

/**
 * ConsumerGroupDescribe of one group. What a member has yet to give up it still has. Topics that
 * are gone are left out.
 */
export function describeConsumerGroup(scope: Scope, group: ConsumerGroup): Described {
  return {
    errorCode: ErrorCode.NONE,
    groupId: group.groupId,
    groupState: group.state(),
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.targetEpoch,
    assignorName: assignorName(scope, group),
    members: Array.from(group.members.values(), ({ memberId, metadata, current }) => ({
      memberId,
      instanceId: metadata.instanceId,
      rackId: metadata.rackId,
      memberEpoch: current.epoch,
      clientId: metadata.clientId,
      clientHost: metadata.clientHost,
      subscribedTopicNames: [...metadata.subscribedNames],
      subscribedTopicRegex: metadata.subscribedRegex,
      assignment: named(scope, union(current.assigned, current.revoking)),
      targetAssignment: named(scope, group.targetOf(memberId)),
      memberType: metadata.classic === null ? CONSUMER_MEMBER : CLASSIC_MEMBER,
    })),
  };
}

function named(scope: Scope, assignment: Assignment): Described["members"][number]["assignment"] {
  const topicPartitions = [];
  for (const [topicId, partitions] of assignment) {
    const topicName = scope.context.topics.nameOf(topicId);
    if (topicName !== undefined) topicPartitions.push({ topicId, topicName, partitions });
  }
  return { topicPartitions };
}
