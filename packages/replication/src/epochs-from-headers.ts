import type { EpochEntry } from "./leader-epochs.ts";
import { HEADER_ROW_DOUBLES, HeaderRow } from "./producer-states.ts";

/**
 * Adds to a history of leader epochs what batch header rows of the same log tell, in the log's order. For a start after a crash, when the checkpoint may lack the newest epochs.
 */
export function epochsFromHeaders(
  known: readonly EpochEntry[],
  headers: Float64Array,
): EpochEntry[] {
  const entries = [...known];
  let latest = entries.at(-1)?.epoch ?? -1;
  for (let at = 0; at < headers.length; at += HEADER_ROW_DOUBLES) {
    const epoch = headers[at + HeaderRow.leaderEpoch] as number;
    if (epoch <= latest) continue;
    entries.push({ epoch, startOffset: headers[at + HeaderRow.baseOffset] as number });
    latest = epoch;
  }
  return entries;
}
