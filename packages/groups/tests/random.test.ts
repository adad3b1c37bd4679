import { expect, test } from "bun:test";
import { RandomWorld } from "./random-world.ts";

// MANTOU_SEED repeats one run; MANTOU_LONG=1 makes many more.
const only = process.env["MANTOU_SEED"];
const runs = process.env["MANTOU_LONG"] === "1" ? 2_000 : 40;
const STEPS = 1_500;
const first = only === undefined ? 1 : Number(only);

test("random runs of classic groups: one owner each, no offset goes back, nobody is forgotten", () => {
  let generations = 0;
  for (let seed = first; seed < first + (only === undefined ? runs : 1); seed++) {
    const world = new RandomWorld(seed);
    try {
      for (let step = 0; step < STEPS; step++) world.step();
      world.finish();
    } catch (error) {
      throw new Error(`MANTOU_SEED=${seed}, step ${world.steps}: ${String(error)}`, {
        cause: error,
      });
    }
    generations += world.generations;
  }
  // The runs are worth something only if rounds complete in them.
  expect(generations).toBeGreaterThan(5);
}, 120_000);
