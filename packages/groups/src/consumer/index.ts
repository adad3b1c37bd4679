import { ErrorCode } from "@mantou/protocol";
import type { ConsumerDoor } from "../consumer-door.ts";

export interface ConsumerGroup {
  readonly type: "consumer";
  readonly groupId: string;
}

/** No group speaks the consumer protocol yet: its requests are refused, its records passed over. */
export const consumerDoor: ConsumerDoor = {
  heartbeat(scope, ticket) {
    scope.reply(ticket, "consumerGroupHeartbeat", {
      errorCode: ErrorCode.UNSUPPORTED_VERSION,
      errorMessage: "The consumer group protocol is not enabled.",
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
    });
  },
  describe: (_, group) => ({
    errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
    groupId: group.groupId,
    groupState: "Dead",
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: "",
    members: [],
  }),
  join: () => undefined,
  sync: () => undefined,
  classicHeartbeat: () => undefined,
  leave: () => undefined,
  isEmpty: () => true,
  stateName: () => "Empty",
  isSubscribed: () => false,
  checkCommit: () => ErrorCode.NONE,
  checkFetch: () => ErrorCode.NONE,
  remove: () => [],
  fire: () => undefined,
  topicsChanged: () => undefined,
  replay: () => undefined,
  loaded: () => undefined,
  checkInvariants: () => undefined,
};
