import type { ReplyTo, OffsetFetch } from "@mantou/groups";
import type { OffsetFetchRequest, OffsetFetchResponseInput } from "@mantou/protocol";
import { ZERO_UUID } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";

/** From here on a request names many groups, each with its own answer. */
const GROUPS_VERSION = 8;
/** From here on a group's error stands above its partitions, and null asks for all topics. */
const GROUP_ERROR_VERSION = 2;

type AskedGroup = OffsetFetch["group"];
type FetchedGroup = ReplyTo<OffsetFetch>;

export function handleOffsetFetch(
  broker: BrokerContext,
  call: Call,
  request: OffsetFetchRequest,
): Outcome<OffsetFetchResponseInput> {
  const { version } = call;
  const { requireStable } = request;
  return gather<AskedGroup, FetchedGroup, OffsetFetchResponseInput>(
    askedGroups(request, version),
    (group, settle) => {
      const command = { kind: "offsetFetch", group, requireStable, version } as const;
      broker.groups.ask(group.groupId, command, (errorCode, reply) =>
        settle(reply ?? refusedGroup(group, errorCode)),
      );
    },
    (groups) => response(groups, version),
  );
}

export const refuseOffsetFetch = (
  request: OffsetFetchRequest,
  { errorCode }: Refused,
  version: number,
): OffsetFetchResponseInput =>
  response(
    askedGroups(request, version).map((group) => refusedGroup(group, errorCode)),
    version,
  );

/** Older requests are brought into the shape of the newest. */
function askedGroups(request: OffsetFetchRequest, version: number): readonly AskedGroup[] {
  if (version >= GROUPS_VERSION) return request.groups;
  const { groupId, topics } = request;
  const asked = topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
  return [{ groupId, memberId: null, memberEpoch: -1, topics: asked }];
}

/** The error on every level, so that each version can take it from where it looks. */
const refusedGroup = (group: AskedGroup, errorCode: ErrorCode): FetchedGroup => ({
  groupId: group.groupId,
  errorCode,
  topics: (group.topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: "",
      errorCode,
    })),
  })),
});

function response(groups: FetchedGroup[], version: number): OffsetFetchResponseInput {
  const base = { throttleTimeMs: 0, topics: [], errorCode: ErrorCode.NONE, groups: [] };
  if (version >= GROUPS_VERSION) {
    // From here on a failed group has no topics.
    return { ...base, groups: groups.map(withoutTopicsOnError) };
  }
  const [group] = groups;
  const errorCode = group?.errorCode ?? ErrorCode.NONE;
  const isTold = version >= GROUP_ERROR_VERSION && errorCode !== ErrorCode.NONE;
  const topics = isTold
    ? []
    : (group?.topics ?? []).map((topic) => ({ ...topic, name: topic.name ?? "" }));
  return { ...base, topics, errorCode };
}

const withoutTopicsOnError = (group: FetchedGroup): FetchedGroup =>
  (group.errorCode ?? ErrorCode.NONE) === ErrorCode.NONE ? group : { ...group, topics: [] };
