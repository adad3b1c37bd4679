import { groupBugs } from "./group-bugs.ts";
import type { PlantedBug } from "./planted-bug.ts";
import { storageBugs } from "./storage-bugs.ts";
import { transactionBugs } from "./transaction-bugs.ts";

export type { PlantedBug } from "./planted-bug.ts";

export const plantedBugs: readonly PlantedBug[] = [
  ...storageBugs,
  ...groupBugs,
  ...transactionBugs,
];
