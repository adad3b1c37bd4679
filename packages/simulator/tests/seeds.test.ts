import { expect, test } from "bun:test";
import { simulate } from "../src/index.ts";

/** `MANTOU_SIM_SEEDS=5000` runs more; `MANTOU_SIM_SEED` is where they begin. */
const COUNT = Number(process.env["MANTOU_SIM_SEEDS"] ?? 200);
const TIMEOUT_MS = 300_000;
const FIRST = Number(process.env["MANTOU_SIM_SEED"] ?? 1);

for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
  const run = (): void => {
    const { faults } = simulate({ seed });
    expect(faults.map((fault) => `seed ${seed}: ${fault}`)).toEqual([]);
  };
  test(`seed ${seed}`, run, TIMEOUT_MS);
}
