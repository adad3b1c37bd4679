import { assert } from "@mantou/base";
import { IoError } from "@mantou/io";
import { RecordsError, decodeBatches, encodeBatch } from "@mantou/protocol";
import type { Entry, EntryKind, Membership, SnapshotMeta } from "raft-ts";
import { decodeMembership, encodeMembership } from "raft-ts";

// How the metadata log and its snapshots look on disk: v2 record batches, as every other log.
//
// Log: a record per entry; raft index = offset + 1, term = partition leader epoch. A batch holds
// one proposal, no more: a follower's log is truncated between proposals, and a log can only be
// cut between batches. Key: kind u8, flags u8 (bit 0: the proposal goes on). Value: the data.
//
// Checkpoint: one batch. Key 0: the membership. Key 1: a piece of the state machine, in order.

const KINDS: readonly EntryKind[] = ["normal", "config", "noop"];
const CONTINUES = 1;
const STATE_PIECE_BYTES = 1 << 20;
const Part = { MEMBERSHIP: 0, STATE: 1 } as const;
/** The leader epoch of a batch is a signed 32-bit integer. */
const TERM_MAX = 2 ** 31 - 1;

/** Splits entries into proposals: the batches that `encodeProposal` takes. */
export function proposalsOf(entries: readonly Entry[]): Entry[][] {
  const proposals: Entry[][] = [];
  let current: Entry[] = [];
  for (const entry of entries) {
    current.push(entry);
    if (entry.continues) continue;
    proposals.push(current);
    current = [];
  }
  assert(current.length === 0, "a write ends with a whole proposal");
  return proposals;
}

export function encodeProposal(entries: readonly Entry[], wallMs: number): Uint8Array {
  const first = entries[0];
  assert(first !== undefined && first.term <= TERM_MAX, "a proposal with a term that fits");
  return encodeBatch(
    entries.map(({ kind, continues, data }) => ({
      key: Uint8Array.of(KINDS.indexOf(kind), continues ? CONTINUES : 0),
      value: data,
      timestamp: wallMs,
    })),
    { baseOffset: first.index - 1, partitionLeaderEpoch: first.term },
  );
}

/** Entries of whole batches. Throws IoError CORRUPT when they are none of ours. */
export function decodeEntries(bytes: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  for (const batch of readBatches(bytes, "the metadata log")) {
    for (const { offset, key, value } of batch.records) {
      const kind = KINDS[key?.[0] ?? KINDS.length];
      if (kind === undefined || value === null || batch.partitionLeaderEpoch < 0) {
        throw new IoError("CORRUPT", `the metadata log holds a foreign record at offset ${offset}`);
      }
      entries.push({
        index: offset + 1,
        term: batch.partitionLeaderEpoch,
        kind,
        data: value,
        continues: key?.[1] === CONTINUES,
      });
    }
  }
  return entries;
}

function readBatches(bytes: Uint8Array, what: string): ReturnType<typeof decodeBatches> {
  try {
    return decodeBatches(bytes, { checkCrc: true, cutOff: "refuse" });
  } catch (error) {
    if (error instanceof RecordsError) throw new IoError("CORRUPT", `${what}: ${error.message}`);
    throw error;
  }
}

export interface Checkpoint {
  readonly membership: Membership;
  readonly state: Uint8Array;
}

export function encodeCheckpoint(checkpoint: Checkpoint, wallMs: number): Uint8Array {
  const { membership, state } = checkpoint;
  const records = [
    { key: Uint8Array.of(Part.MEMBERSHIP), value: encodeMembership(membership), timestamp: wallMs },
  ];
  for (let from = 0; from < state.length; from += STATE_PIECE_BYTES) {
    const value = state.subarray(from, from + STATE_PIECE_BYTES);
    records.push({ key: Uint8Array.of(Part.STATE), value, timestamp: wallMs });
  }
  return encodeBatch(records);
}

/** Throws IoError CORRUPT. */
export function decodeCheckpoint(bytes: Uint8Array, name: string): Checkpoint {
  const records = readBatches(bytes, name).flatMap((batch) => batch.records);
  const membership = decodeMembership(records[0]?.value ?? new Uint8Array(0));
  if (records[0]?.key?.[0] !== Part.MEMBERSHIP || membership === null) {
    throw new IoError("CORRUPT", `${name} does not begin with a membership`);
  }
  const pieces = records.slice(1).map(({ key, value }) => {
    if (key?.[0] === Part.STATE && value !== null) return value;
    throw new IoError("CORRUPT", `${name} holds a foreign record`);
  });
  return { membership, state: concatenate(pieces) };
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** As Kafka names them (KIP-630): end offset, which is the index, and epoch. */
export const checkpointName = ({ index, term }: Pick<SnapshotMeta, "index" | "term">): string =>
  `${String(index).padStart(20, "0")}-${String(term).padStart(10, "0")}.checkpoint`;

/** Index and term in a checkpoint's name, or null: another file. */
export function parseCheckpointName(name: string): { index: number; term: number } | null {
  const match = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name);
  return match === null ? null : { index: Number(match[1]), term: Number(match[2]) };
}
