export type { Assignment, Assignor, AssignorMember, AssignorTopic } from "./assignor.ts";
export { NO_PARTITIONS } from "./assignor.ts";
export { rangeAssignor } from "./range.ts";
export { uniformAssignor } from "./uniform.ts";

import type { Assignor } from "./assignor.ts";
import { rangeAssignor } from "./range.ts";
import { uniformAssignor } from "./uniform.ts";

/** Assignors by the names that clients ask for; the first is the default. */
export const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map([
  ["uniform", uniformAssignor],
  ["range", rangeAssignor],
]);
