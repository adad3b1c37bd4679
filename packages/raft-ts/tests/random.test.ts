import { expect, test } from "bun:test";
import { Simulation } from "./simulation.ts";

// MANTOU_SEED=n replays one seed; MANTOU_LONG=k runs k times 5,000.
const only = process.env["MANTOU_SEED"];
const FIRST = only === undefined ? 1 : Number(only);
const LONG = Number(process.env["MANTOU_LONG"] ?? 0);
const COUNT = only !== undefined ? 1 : LONG > 0 ? 5_000 * LONG : 300;
const TIMEOUT_MS = 600_000;

function runSeed(seed: number): Simulation {
  const simulation = new Simulation(seed);
  try {
    simulation.run();
  } catch (error) {
    console.error(`seed ${seed} fails: replay it with MANTOU_SEED=${seed}`);
    throw error;
  }
  return simulation;
}

test(
  `${COUNT} seeds keep every promise of Raft's figure 3 and converge`,
  () => {
    const totals = new Map<string, number>();
    for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
      const { events, safety } = runSeed(seed);
      const counts = { events, committed: safety.committed, ...safety.seen };
      for (const [name, count] of Object.entries(counts)) {
        totals.set(name, (totals.get(name) ?? 0) + count);
      }
    }
    console.log([...totals].map(([name, total]) => `${name}=${total}`).join(" "));
    if (only !== undefined) return;
    // A simulation in which nothing happens would keep every promise too.
    for (const [name, total] of totals) {
      expect(`${name}: ${total > COUNT / 3}`).toBe(`${name}: true`);
    }
  },
  TIMEOUT_MS,
);

test("the same seed gives the same run", () => {
  const runs = [1, 2].map(() => {
    const { nodes, events, safety } = runSeed(FIRST);
    const states = nodes.map((node) => [node.app, node.disk.hardState]);
    return JSON.stringify([events, safety.committed, states]);
  });
  expect(runs[0]).toBe(runs[1] as string);
});
