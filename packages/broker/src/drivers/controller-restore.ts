import { offset } from "@mantou/base";
import { METADATA_TOPIC } from "@mantou/catalog";
import type { Io, LogState } from "@mantou/io";
import { IoError } from "@mantou/io";
import type { Entry, Restored, SnapshotMeta } from "raft-ts";
import { Raft, RestoreError, bootstrap, defaultOptions } from "raft-ts";
import type { Ambient } from "../ambient.ts";
import type { ControllerDisk } from "./controller-disk.ts";
import type { ControllerSettings } from "./controller-parts.ts";
import type { QuorumStateOwner } from "./controller-quorum-state.ts";
import { QUORUM_STATE, decodeQuorumState } from "./controller-quorum-state.ts";
import {
  checkpointName,
  decodeCheckpoint,
  decodeEntries,
  parseCheckpointName,
} from "./controller-records.ts";

const READ_BYTES = 4 * 1024 * 1024;

export interface RestoredController {
  readonly disk: Restored;
  /** The state machine at the checkpoint; null at the very first start. */
  readonly state: Uint8Array | null;
}

/**
 * What the directory of the metadata log holds: the newest checkpoint, the quorum state, the log
 * behind it. A fresh directory gets the checkpoint 0-0, which names the first voters once and for
 * all (as Kafka's `format` does). Rejects with IoError CORRUPT or FORMAT; nothing is guessed, since
 * a node that forgets its vote or its log could elect two leaders.
 */
export async function restoreController(
  io: Io,
  disk: ControllerDisk,
  log: LogState,
  owner: QuorumStateOwner,
  voters: readonly number[],
): Promise<RestoredController> {
  const { logId } = log;
  const saved = await io.logs.getFile(logId, QUORUM_STATE);
  const newest = await newestCheckpoint(io, log);
  if (newest === null) {
    if (saved !== null || log.endOffset > 0) {
      throw lost("has entries or a vote, but no checkpoint");
    }
    const fresh = bootstrap(voters);
    await disk.saveCheckpoint(fresh.snapshot, new Uint8Array(0));
    return { disk: fresh, state: null };
  }
  const { snapshot, state } = newest;
  if (saved === null && (log.endOffset > 0 || snapshot.index > 0)) {
    throw lost(`has entries, but no ${QUORUM_STATE}`);
  }
  const hardState = saved === null ? { term: 0, votedFor: null } : decodeQuorumState(saved, owner);
  const entries = await readEntries(io, log);
  return {
    disk: { hardState, snapshot, entries },
    state: snapshot.index > 0 ? state : null,
  };
}

const lost = (what: string): IoError =>
  new IoError(
    "CORRUPT",
    `${METADATA_TOPIC}-0 ${what}: a file was removed by hand; restore it from a copy`,
  );

async function newestCheckpoint(
  io: Io,
  log: LogState,
): Promise<{ snapshot: SnapshotMeta; state: Uint8Array } | null> {
  const names = await io.logs.listFiles(log.logId);
  const newest = names
    .flatMap((name) => parseCheckpointName(name) ?? [])
    .sort((a, b) => b.index - a.index || b.term - a.term)[0];
  if (newest === undefined) return null;
  const name = checkpointName(newest);
  const bytes = await io.logs.getFile(log.logId, name);
  if (bytes === null) throw lost(`has lost ${name}`);
  const { membership, state } = decodeCheckpoint(bytes, name);
  return { snapshot: { ...newest, membership }, state };
}

async function readEntries(io: Io, log: LogState): Promise<Entry[]> {
  const entries: Entry[] = [];
  let next: number = log.startOffset;
  while (next < log.endOffset) {
    const batches = decodeEntries(await io.logs.read(log.logId, offset(next), READ_BYTES));
    const last = batches.at(-1);
    if (last === undefined || last.index <= next) throw lost(`cannot be read at offset ${next}`);
    for (const entry of batches) if (entry.index > next) entries.push(entry);
    next = last.index;
  }
  return entries;
}

/** The machine on what was restored. Throws IoError CORRUPT when that contradicts itself. */
export function openRaft(
  disk: Restored,
  id: number,
  { electionTimeoutMs, heartbeatMs }: ControllerSettings,
  ambient: Ambient,
): Raft {
  const bytes = ambient.randomBytes(4);
  const seed = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const options = { ...defaultOptions, electionTimeoutMs, heartbeatMs, id, seed };
  try {
    return new Raft(options, disk, ambient.clock.monotonicMs());
  } catch (error) {
    if (error instanceof RestoreError) throw new IoError("CORRUPT", error.message);
    throw error;
  }
}
