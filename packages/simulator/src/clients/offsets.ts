import type { Uuid } from "@mantou/base";
import { ErrorCode, offsetCommitApi, offsetFetchApi } from "@mantou/protocol";
import type { World } from "../actor.ts";
import type { GroupCommit, Where } from "../history.ts";
import type { ClientConnection } from "./connection.ts";
import { NoAnswer } from "./connection.ts";
import type { Position } from "./fetching.ts";

const GROUP_LIST_VERSION = 8;

/** Who asks. */
export interface Committer {
  readonly world: World;
  readonly name: string;
  readonly group: string;
  readonly memberId: string;
  /** Generation or member epoch; -1 outside of a membership. */
  readonly generation: number;
}

/** Commits positions. Returns the first error, or NONE. Throws NoAnswer. */
export async function commitOffsets(
  who: Committer,
  connection: ClientConnection,
  positions: readonly Position[],
  version: number,
  timeoutMs: number,
): Promise<number> {
  if (positions.length === 0) return ErrorCode.NONE;
  const { history } = who.world;
  const asked = history.moment();
  const commits = positions.map(({ where, offset }): GroupCommit => ({
    group: who.group,
    where,
    offset,
    by: who.name,
    generation: who.generation,
    asked,
    answered: Infinity,
    outcome: "open",
  }));
  history.commits.push(...commits);
  const { topics } = await connection.ask(
    offsetCommitApi,
    version,
    {
      groupId: who.group,
      generationIdOrMemberEpoch: who.generation,
      memberId: who.memberId,
      topics: positions.map(({ topic, partition, offset }) => ({
        name: topic.name,
        topicId: topic.topicId,
        partitions: [
          { partitionIndex: partition, committedOffset: offset, committedMetadata: null },
        ],
      })),
    },
    timeoutMs,
  );
  let first: number = ErrorCode.NONE;
  for (const [index, commit] of commits.entries()) {
    const errorCode = topics[index]?.partitions[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    commit.answered = history.moment();
    commit.outcome = errorCode === ErrorCode.NONE ? "acked" : "refused";
    if (first === ErrorCode.NONE) first = errorCode;
  }
  return first;
}

/** What a group has committed, by partition; an error code where that is not told now. */
export async function fetchCommitted(
  who: Committer,
  connection: ClientConnection,
  positions: readonly Position[],
  version: number,
  timeoutMs: number,
): Promise<Map<Where, number> | number> {
  const { history } = who.world;
  const asked = history.moment();
  const byTopic = new Map<string, { topicId: Uuid; partitionIndexes: number[] }>();
  for (const { topic, partition } of positions) {
    const known = byTopic.get(topic.name);
    if (known === undefined) {
      byTopic.set(topic.name, { topicId: topic.topicId, partitionIndexes: [partition] });
    } else known.partitionIndexes.push(partition);
  }
  const topics = [...byTopic].map(([name, rest]) => ({ name, ...rest }));
  const answer = await connection.ask(
    offsetFetchApi,
    version,
    version >= GROUP_LIST_VERSION
      ? { groups: [{ groupId: who.group, topics }], requireStable: true }
      : { groupId: who.group, topics, requireStable: version === 7 },
    timeoutMs,
  );
  const group = version >= GROUP_LIST_VERSION ? answer.groups[0] : answer;
  if (group === undefined) return ErrorCode.UNKNOWN_SERVER_ERROR;
  if (group.errorCode !== ErrorCode.NONE) return group.errorCode;
  const found = new Map<Where, number>();
  for (const topic of group.topics) {
    for (const { partitionIndex, committedOffset, errorCode } of topic.partitions) {
      if (errorCode !== ErrorCode.NONE) return errorCode;
      const position = positions.find(
        (p) => p.topic.name === topic.name && p.partition === partitionIndex,
      );
      if (position === undefined) {
        who.world.defect(`${who.name}: an offset of ${topic.name} that was not asked for`);
        continue;
      }
      found.set(position.where, committedOffset);
    }
  }
  if (found.size !== positions.length) throw new NoAnswer("offsets are missing");
  for (const [where, offset] of found) {
    history.committed.push({ group: who.group, where, offset, by: who.name, asked });
  }
  return found;
}
