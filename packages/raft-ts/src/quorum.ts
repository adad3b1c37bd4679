import type { NodeId } from "./types.ts";

/**
 * The largest value that a majority has reached. With matches: the index that is stored on a
 * majority; with times: since when a majority has not been silent. `values` is reordered.
 */
export function quorumValue(values: number[]): number {
  values.sort((a, b) => b - a);
  return values[values.length >> 1] ?? 0;
}

export type Tally = "won" | "lost" | "pending";

/** Counts the voters' answers; answers of others are not looked at. */
export function tally(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): Tally {
  const majority = (voters.length >> 1) + 1;
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted += 1;
    if (vote === false) refused += 1;
  }
  if (granted >= majority) return "won";
  return voters.length - refused < majority ? "lost" : "pending";
}
