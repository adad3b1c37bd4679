import { consumerDoor } from "./consumer/index.ts";
import type { Group } from "./group.ts";

/** What can be asked of a group of either protocol. */

export const hasNoMembers = (group: Group): boolean =>
  group.type === "classic" ? group.state === "Empty" : consumerDoor.isEmpty(group);

/** As it is shown to operators. */
export const stateName = (group: Group): string =>
  group.type === "classic" ? group.state : consumerDoor.stateName(group);

export const protocolTypeOf = (group: Group): string =>
  group.type === "classic" ? (group.protocolType ?? "") : "consumer";

export const isSubscribed = (group: Group, topic: string): boolean =>
  group.type === "classic" ? group.isSubscribed(topic) : consumerDoor.isSubscribed(group, topic);
