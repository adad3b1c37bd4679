import { expect, test } from "bun:test";
import { simulate } from "../src/index.ts";

/** `MANTOU_SIM_SEEDS=5000` runs more; `MANTOU_SIM_SEED` is where they begin. */
const COUNT = Number(process.env["MANTOU_SIM_SEEDS"] ?? 200);
const FIRST = Number(process.env["MANTOU_SIM_SEED"] ?? 1);

for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
  test(`seed ${seed}`, () => {
    const { faults } = simulate({ seed });
    expect(faults.map((fault) => `seed ${seed}: ${fault}`)).toEqual([]);
  });
}
