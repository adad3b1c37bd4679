/**
 * `bun packages/simulator/tests/planted/hunt.ts [NAME]`: which seed catches each planted bug, and
 * by what; the table of the README.
 */
import { simulate } from "../../src/index.ts";
import { plantedBugs } from "./index.ts";

const FIRST = 1;
const wanted = process.argv[2] ?? "";
for (const { name, plant, seedsMax } of plantedBugs) {
  if (!name.includes(wanted)) continue;
  let said = `not caught by ${seedsMax} seeds`;
  for (let seed = FIRST; seed < FIRST + seedsMax; seed += 1) {
    const [fault] = simulate({ seed, plant }).faults;
    if (fault === undefined) continue;
    said = `seed ${seed} | ${fault.split("\n")[0]}`;
    break;
  }
  console.log(`| ${name} | ${said} |`);
}
