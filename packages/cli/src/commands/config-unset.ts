import type { Run } from "../command.ts";
import { alter } from "../config-changes.ts";

export const run: Run = (invocation) =>
  alter(invocation, { delete: invocation.values.positionals.slice(2) });
