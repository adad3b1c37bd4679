import type { History } from "../history.ts";
import { checkAcknowledged } from "./acknowledged.ts";
import { checkCommittedReads } from "./committed-reads.ts";
import { checkCompaction } from "./compaction.ts";
import { checkCopies } from "./copies.ts";
import { checkEpochs } from "./epochs.ts";
import { checkCommittedOffsets, checkGenerations, checkOwnership } from "./groups.ts";
import { checkOffsets } from "./offsets.ts";
import { checkTransactions } from "./transactions.ts";
import { checkWatermarks } from "./watermarks.ts";
import { checkTransactionOffsets, checkZombies } from "./zombies.ts";

/** Judges a whole run; says what is wrong, a line each. */
export type Checker = (history: History) => string[];

/** Every checker by its name. */
export const checkers: Readonly<Record<string, Checker>> = {
  acknowledged: checkAcknowledged,
  watermarks: checkWatermarks,
  offsets: checkOffsets,
  epochs: checkEpochs,
  compaction: checkCompaction,
  committedReads: checkCommittedReads,
  transactions: checkTransactions,
  copies: checkCopies,
  zombies: checkZombies,
  transactionOffsets: checkTransactionOffsets,
  committedOffsets: checkCommittedOffsets,
  generations: checkGenerations,
  ownership: checkOwnership,
};
