import { ZERO_UUID } from "@mantou/base";
import { IoError } from "@mantou/io";
import type { HardState } from "raft-ts";

/** The file's name and shape are Kafka's (KIP-595, KIP-853). It is on disk before a vote is given. */
export const QUORUM_STATE = "quorum-state";

const DATA_VERSION = 1;
const NOBODY = -1;

export interface QuorumStateOwner {
  readonly nodeId: number;
  /** Of the data directory: a vote counts for the disk that gave it. */
  readonly directoryId: string;
}

export function encodeQuorumState(
  hardState: HardState,
  leader: number | null,
  owner: QuorumStateOwner,
): Uint8Array {
  const { term, votedFor } = hardState;
  const votedDirectoryId = votedFor === owner.nodeId ? owner.directoryId : ZERO_UUID;
  const text = JSON.stringify({
    leaderId: leader ?? NOBODY,
    leaderEpoch: term,
    votedId: votedFor ?? NOBODY,
    votedDirectoryId,
    data_version: DATA_VERSION,
  });
  return new TextEncoder().encode(text);
}

/** Throws IoError CORRUPT, or FORMAT where the file was written for another disk. */
export function decodeQuorumState(bytes: Uint8Array, owner: QuorumStateOwner): HardState {
  const { leaderEpoch, votedId, votedDirectoryId, data_version } = parse(bytes);
  if (data_version !== DATA_VERSION) {
    throw new IoError("FORMAT", `${QUORUM_STATE} has version ${String(data_version)}`);
  }
  if (!isInteger(leaderEpoch, 0) || !isInteger(votedId, NOBODY)) {
    throw new IoError("CORRUPT", `${QUORUM_STATE} holds no epoch and vote`);
  }
  if (votedId === owner.nodeId && votedDirectoryId !== owner.directoryId) {
    throw new IoError(
      "FORMAT",
      `${QUORUM_STATE} holds the vote of another disk (${String(votedDirectoryId)}): ` +
        "a copied directory must not vote; format it and let it join as a new one",
    );
  }
  return { term: leaderEpoch, votedFor: votedId === NOBODY ? null : votedId };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Falls through to the one answer.
  }
  throw new IoError("CORRUPT", `${QUORUM_STATE} is not readable`);
}

const isInteger = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;
