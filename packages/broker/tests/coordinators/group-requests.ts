import { expect } from "bun:test";
import { type Uuid, ZERO_UUID } from "@mantou/base";
import type { Connection } from "@mantou/client";
import {
  type AnyApi,
  ErrorCode,
  createTopicsApi,
  decodeBatches,
  fetchApi,
  findCoordinatorApi,
  joinGroupApi,
  offsetCommitApi,
  offsetFetchApi,
  syncGroupApi,
} from "@mantou/protocol";
import type { InProcessBroker } from "../in-process-broker.ts";

export const settings = { "group.initial.rebalance.delay.ms": "0" };
export const versionsOf = ({ minVersion, maxVersion }: AnyApi): number[] =>
  Array.from({ length: maxVersion - minVersion + 1 }, (_, index) => minVersion + index);
export const upTo = (api: AnyApi, version: number): number =>
  Math.max(api.minVersion, Math.min(api.maxVersion, version));

export interface Member {
  readonly memberId: string;
  readonly generationId: number;
}

export const protocols = [{ name: "range", metadata: Uint8Array.of(0, 0, 0, 0, 0, 0) }];

/** Joins a group of one as a client of these versions does, and takes part in its round. */
export async function join(
  connection: Connection,
  groupId: string,
  version = 9,
  memberId = "",
): Promise<Member> {
  const joined = await connection.send(joinGroupApi, upTo(joinGroupApi, version), {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: version === 0 ? -1 : 30_000,
    memberId,
    protocolType: "consumer",
    protocols,
  });
  if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
    expect(version).toBeGreaterThanOrEqual(4);
    return join(connection, groupId, version, joined.memberId);
  }
  expect(joined.errorCode).toBe(ErrorCode.NONE);
  expect(joined.leader).toBe(joined.memberId);
  expect(joined.members.map((member) => member.memberId)).toEqual([joined.memberId]);
  const { generationId } = joined;
  const synced = await connection.send(syncGroupApi, upTo(syncGroupApi, version), {
    groupId,
    generationId,
    memberId: joined.memberId,
    ...(version >= 5 ? { protocolType: "consumer", protocolName: "range" } : {}),
    assignments: [{ memberId: joined.memberId, assignment: Uint8Array.of(7) }],
  });
  expect(synced.errorCode).toBe(ErrorCode.NONE);
  expect([...synced.assignment]).toEqual([7]);
  return { memberId: joined.memberId, generationId };
}

export async function createTopic(
  connection: Connection,
  name: string,
  partitions = 2,
): Promise<Uuid> {
  const created = await connection.send(createTopicsApi, 7, {
    topics: [
      { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] },
    ],
    timeoutMs: 10_000,
    validateOnly: false,
  });
  expect(created.topics[0]?.errorCode).toBe(ErrorCode.NONE);
  return created.topics[0]?.topicId ?? ZERO_UUID;
}

export async function findGroup(connection: Connection, groupId: string): Promise<void> {
  const found = await connection.send(findCoordinatorApi, 6, { coordinatorKeys: [groupId] });
  expect(found.coordinators[0]?.errorCode).toBe(ErrorCode.NONE);
}

export const commitRequest = (groupId: string, name: string, offset: number, member?: Member) => ({
  groupId,
  generationIdOrMemberEpoch: member?.generationId ?? -1,
  memberId: member?.memberId ?? "",
  topics: [
    { name, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: "m" }] },
  ],
});

export async function commit(
  connection: Connection,
  groupId: string,
  name: string,
  offset: number,
  member?: Member,
): Promise<number> {
  const request = commitRequest(groupId, name, offset, member);
  const { topics } = await connection.send(offsetCommitApi, 9, request);
  return topics[0]?.partitions[0]?.errorCode ?? -99;
}

export async function committed(
  connection: Connection,
  groupId: string,
  name: string,
): Promise<number> {
  const topics = [{ name, partitionIndexes: [0] }];
  const answer = await connection.send(offsetFetchApi, 9, { groups: [{ groupId, topics }] });
  expect(answer.groups[0]?.errorCode).toBe(ErrorCode.NONE);
  return answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset ?? -99;
}

/** The topic of offsets as any consumer reads it. */
export async function readOffsets(broker: InProcessBroker): Promise<number> {
  await using connection = closing(await broker.connect());
  let records = 0;
  for (let partition = 0; partition < 50; partition += 1) {
    const partitions = [{ partition, fetchOffset: 0, partitionMaxBytes: 1 << 20 }];
    const exchange = await connection.it.exchange(fetchApi, 12, {
      ...{ maxWaitMs: 0, minBytes: 0, forgottenTopicsData: [] },
      topics: [{ topic: "__consumer_offsets", partitions }],
    });
    const read = exchange.response.responses[0]?.partitions[0];
    expect(read?.errorCode).toBe(ErrorCode.NONE);
    const span = read?.records;
    if (span === null || span === undefined || !("offset" in span)) continue;
    const bytes = exchange.bytes.subarray(span.offset, span.offset + span.length);
    for (const batch of decodeBatches(bytes)) records += batch.records.length;
  }
  return records;
}

export const closing = (it: Connection) => ({
  it,
  [Symbol.asyncDispose]: async () => it.close(),
});
