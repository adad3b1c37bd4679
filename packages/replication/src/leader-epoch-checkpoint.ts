import { type Result, err, ok } from "@mantou/base";
import type { EpochEntry } from "./leader-epochs.ts";

/** The file beside a partition's segments that holds its leader epochs; Kafka's name and form. */
export const LEADER_EPOCH_CHECKPOINT = "leader-epoch-checkpoint";

/** Lines a file may have; a partition gets one per change of its leader. */
const ENTRIES_MAX = 1_000_000;

/** Text: the format's version 0, the number of entries, then one `epoch startOffset` line each. */
export function encodeLeaderEpochCheckpoint(entries: readonly EpochEntry[]): Uint8Array {
  const lines = entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`);
  return new TextEncoder().encode(`0\n${entries.length}\n${lines.join("")}`);
}

/** Oldest first. An error says what is wrong; the history can be rebuilt from the batches. */
export function decodeLeaderEpochCheckpoint(bytes: Uint8Array): Result<EpochEntry[], string> {
  const [version, count, ...lines] = new TextDecoder().decode(bytes).split("\n");
  if (version !== "0") return err(`version ${JSON.stringify(version)} is unknown`);
  if (count === undefined || !/^\d{1,7}$/.test(count)) return err("the count is not a number");
  const entries: EpochEntry[] = [];
  if (Number(count) > ENTRIES_MAX) return err(`${count} entries are too many`);
  if (lines.pop() !== "" || lines.length !== Number(count)) {
    return err(`${lines.length} entries where ${count} are announced`);
  }
  for (const line of lines) {
    const match = /^(\d{1,10}) (\d{1,16})$/.exec(line);
    if (match === null) return err(`${JSON.stringify(line)} is no entry`);
    const entry = { epoch: Number(match[1]), startOffset: Number(match[2]) };
    const before = entries.at(-1);
    if (entry.epoch > 0x7fff_ffff || entry.startOffset > Number.MAX_SAFE_INTEGER) {
      return err(`${JSON.stringify(line)} is out of range`);
    }
    if (before !== undefined && before.epoch >= entry.epoch) return err("epochs do not rise");
    if (before !== undefined && before.startOffset > entry.startOffset) {
      return err("start offsets go back");
    }
    entries.push(entry);
  }
  return ok(entries);
}
