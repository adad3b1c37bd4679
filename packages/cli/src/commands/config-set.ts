import type { Run } from "../command.ts";
import { pairOf } from "../values.ts";
import { alter } from "../config-changes.ts";

export const run: Run = (invocation) => {
  const { values } = invocation;
  const set = Object.fromEntries(
    values.positionals.slice(2).map((item) => pairOf("KEY=VALUE", item)),
  );
  return alter(invocation, { set });
};
