import type { ConsumerDoor } from "../consumer-door.ts";
import {
  heartbeatAsClassic,
  joinAsClassic,
  leaveAsClassic,
  syncAsClassic,
} from "./classic-members.ts";
import { checkCommit, checkFetch } from "./commit-check.ts";
import { describeConsumerGroup } from "./describe.ts";
import { fireConsumerTimer } from "./fire.ts";
import { consumerGroupHeartbeat } from "./heartbeat.ts";
import { checkConsumerGroup } from "./invariants.ts";
import { Journal } from "./journal.ts";
import { replayConsumerRecord } from "./replay.ts";
import { armRebalance, armRefresh, armSession } from "./timers.ts";
import { topicsChanged } from "./topic-changes.ts";

export { ConsumerGroup } from "./consumer-group.ts";

/** The consumer protocol of KIP-848, as the shard asks for it. */
export const consumerDoor: ConsumerDoor = {
  heartbeat(scope, ticket, command) {
    scope.reply(ticket, "consumerGroupHeartbeat", consumerGroupHeartbeat(scope, command));
  },
  describe: describeConsumerGroup,
  join(scope, group, ticket, command) {
    scope.reply(ticket, "joinGroup", joinAsClassic(scope, group, command));
  },
  sync(scope, group, ticket, command) {
    scope.reply(ticket, "syncGroup", syncAsClassic(scope, group, command));
  },
  classicHeartbeat(scope, group, ticket, command) {
    const errorCode = heartbeatAsClassic(scope, group, command);
    scope.reply(ticket, "heartbeat", { errorCode });
  },
  leave(scope, group, ticket, command) {
    scope.reply(ticket, "leaveGroup", leaveAsClassic(scope, group, command));
  },
  isEmpty: (group) => group.size === 0,
  stateName: (group) => group.state(),
  isSubscribed: (group, topic) => group.isSubscribed(topic),
  checkCommit,
  checkFetch,
  remove(scope, group) {
    const journal = new Journal(scope, group);
    journal.pushTombstones();
    scope.groups.delete(group.groupId);
    return journal.take();
  },
  fire: fireConsumerTimer,
  topicsChanged,
  replay: replayConsumerRecord,
  loaded(scope, group) {
    for (const member of group.members.values()) {
      armSession(scope, group, member);
      armRebalance(scope, group, member);
    }
    if (group.size > 0) armRefresh(scope, group);
  },
  checkInvariants(_, group) {
    checkConsumerGroup(group);
  },
};
