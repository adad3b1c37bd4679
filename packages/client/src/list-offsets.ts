import { listOffsetsApi } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { throwIfError } from "./errors.ts";

export type Isolation = "read_uncommitted" | "read_committed";

/** The number in requests. */
export const isolationLevel = (isolation: Isolation): number =>
  isolation === "read_committed" ? 1 : 0;

/** A position by name, or the first record at or after a timestamp (ms since the epoch). */
export type OffsetSpec = "earliest" | "latest" | "max-timestamp" | { readonly timestamp: number };

export interface ListedOffset {
  /** -1: there is no such record. */
  readonly offset: number;
  /** -1 where the position has none. */
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

const NAMED = { latest: -1, earliest: -2, "max-timestamp": -3 } as const;

/** Asks a partition's leader. Throws BrokerError. */
export function listOffset(
  cluster: Cluster,
  topic: string,
  partition: number,
  at: OffsetSpec,
  isolation: Isolation,
): Promise<ListedOffset> {
  const timestamp = typeof at === "string" ? NAMED[at] : at.timestamp;
  return cluster.onLeader(topic, partition, async ({ connection, leaderEpoch }) => {
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: leaderEpoch, timestamp }];
    const answer = await cluster.call(connection, listOffsetsApi, {
      replicaId: -1,
      topics: [{ name: topic, partitions }],
      timeoutMs: 30_000,
      isolationLevel: isolationLevel(isolation),
    });
    const result = answer.topics[0]?.partitions[0];
    throwIfError(result?.errorCode ?? -1, `offset of ${topic}-${partition}`);
    return {
      offset: result?.offset ?? -1,
      timestamp: result?.timestamp ?? -1,
      leaderEpoch: result?.leaderEpoch ?? -1,
    };
  });
}
