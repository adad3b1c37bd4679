import type { Uuid } from "@mantou/base";
import { assert } from "@mantou/base";
import type { Assignment, AssignorMember, AssignorTopic } from "./assignor.ts";
import { AssignmentBuilder, isNear } from "./assignor.ts";

interface Share {
  readonly member: AssignorMember;
  readonly given: AssignmentBuilder;
  /** How many it is to have in the end. */
  quota: number;
}

interface Loose {
  readonly topic: AssignorTopic;
  readonly partition: number;
}

/**
 * All members subscribe to the same topics: everybody holds floor(partitions / members) or one
 * more. First each keeps what it had, up to its quota, near partitions before far ones; then what
 * is left goes round, near first, one at a time so that a busy topic is spread over members.
 */
export function assignHomogeneous(
  members: readonly AssignorMember[],
  topics: readonly AssignorTopic[],
): Map<string, Assignment> {
  const ordered = [...topics].sort((a, b) => (a.topicId < b.topicId ? -1 : 1));
  const byId = new Map(ordered.map((topic) => [topic.topicId, topic]));
  const shares: Share[] = members.map((member) => {
    return { member, given: new AssignmentBuilder(), quota: 0 };
  });
  const owned = new Map(
    ordered.map((topic) => [topic.topicId, new Uint8Array(topic.partitionCount)]),
  );
  const kept = shares.map((share) => claim(share.member, byId, owned));
  setQuotas(shares, kept, ordered);
  for (const [index, share] of shares.entries()) {
    keep(share, kept[index] as Loose[], owned);
  }
  handOut(shares, loosePartitions(ordered, owned));
  return new Map(shares.map((share) => [share.member.memberId, share.given.take()]));
}

/** What the member had and nobody before it claimed; marks it as owned. */
function claim(
  member: AssignorMember,
  topics: ReadonlyMap<Uuid, AssignorTopic>,
  owned: ReadonlyMap<Uuid, Uint8Array>,
): Loose[] {
  const claimed: Loose[] = [];
  for (const [topicId, partitions] of member.previous) {
    const topic = topics.get(topicId);
    const marks = owned.get(topicId);
    if (topic === undefined || marks === undefined) continue;
    for (const partition of partitions) {
      if (partition >= topic.partitionCount || marks[partition] === 1) continue;
      marks[partition] = 1;
      claimed.push({ topic, partition });
    }
  }
  return claimed;
}

/** The larger shares go first to those who hold more already, so that fewer partitions move. */
function setQuotas(
  shares: readonly Share[],
  kept: readonly (readonly Loose[])[],
  topics: readonly AssignorTopic[],
): void {
  const total = topics.reduce((sum, topic) => sum + topic.partitionCount, 0);
  const least = Math.floor(total / shares.length);
  let extra = total - least * shares.length;
  for (const [index, share] of shares.entries()) {
    share.quota = least;
    if (extra === 0 || (kept[index] as Loose[]).length <= least) continue;
    share.quota++;
    extra--;
  }
  for (const share of shares) {
    if (extra === 0) break;
    if (share.quota > least) continue;
    share.quota++;
    extra--;
  }
}

function keep(share: Share, had: readonly Loose[], owned: ReadonlyMap<Uuid, Uint8Array>): void {
  let list = had;
  if (had.length > share.quota) {
    const near = had.filter((loose) => isNear(share.member, loose.topic, loose.partition));
    const far = had.filter((loose) => !isNear(share.member, loose.topic, loose.partition));
    list = [...near, ...far];
  }
  for (const [index, { topic, partition }] of list.entries()) {
    if (index < share.quota) share.given.add(topic.topicId, partition);
    else (owned.get(topic.topicId) as Uint8Array)[partition] = 0;
  }
}

function loosePartitions(
  topics: readonly AssignorTopic[],
  owned: ReadonlyMap<Uuid, Uint8Array>,
): Loose[] {
  const loose: Loose[] = [];
  for (const topic of topics) {
    const marks = owned.get(topic.topicId) as Uint8Array;
    for (let partition = 0; partition < marks.length; partition++) {
      if (marks[partition] === 0) loose.push({ topic, partition });
    }
  }
  return loose;
}

function handOut(shares: readonly Share[], loose: readonly Loose[]): void {
  const far = handOutNear(shares, loose);
  const open = shares.filter((share) => share.given.count < share.quota);
  let turn = 0;
  for (const { topic, partition } of far) {
    if (turn >= open.length) turn = 0;
    const share = open[turn];
    assert(share !== undefined, "the quotas add up to the partitions");
    share.given.add(topic.topicId, partition);
    if (share.given.count < share.quota) turn++;
    else open.splice(turn, 1);
  }
}

/** Gives partitions to members in a rack of theirs; returns those for which there was none. */
function handOutNear(shares: readonly Share[], loose: readonly Loose[]): readonly Loose[] {
  const byRack = new Map<string, Share[]>();
  for (const share of shares) {
    const { rackId } = share.member;
    if (rackId === null || share.given.count >= share.quota) continue;
    const list = byRack.get(rackId);
    if (list === undefined) byRack.set(rackId, [share]);
    else list.push(share);
  }
  if (byRack.size === 0) return loose;
  const far: Loose[] = [];
  for (const item of loose) {
    const racks = item.topic.racks?.[item.partition] ?? [];
    const rack = racks.find((name) => (byRack.get(name)?.length ?? 0) > 0);
    const waiting = rack === undefined ? undefined : byRack.get(rack);
    const share = waiting?.shift();
    if (waiting === undefined || share === undefined) {
      far.push(item);
      continue;
    }
    share.given.add(item.topic.topicId, item.partition);
    if (share.given.count < share.quota) waiting.push(share);
  }
  return far;
}
