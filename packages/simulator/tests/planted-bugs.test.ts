import { expect, test } from "bun:test";
import { simulate } from "../src/index.ts";
import type { PlantedBug } from "./planted/index.ts";
import { plantedBugs } from "./planted/index.ts";

/** The first seed that catches a bug, counted from the one that is known to. */
function catching({ seed, seedsMax, plant }: PlantedBug) {
  for (let tried = 0; tried < seedsMax; tried += 1) {
    const result = simulate({ seed: seed + tried, plant });
    if (result.faults.length > 0) return { seed: seed + tried, fault: result.faults[0] };
  }
  return null;
}

/** Generous: the search may go on beyond the seed that is known, on a slow machine. */
const TIMEOUT_MS = 300_000;

for (const bug of plantedBugs) {
  const find = (): void => {
    const caught = catching(bug);
    expect(caught).not.toBeNull();
    // A bug that only makes the broker fall over shows nothing about the checkers.
    expect(caught?.fault).not.toStartWith("thrown");
  };
  test(`is caught: ${bug.name}`, find, TIMEOUT_MS);
}
