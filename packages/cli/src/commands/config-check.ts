import { readFileSync } from "node:fs";
import { parseStartOptions } from "@mantou/server";
import type { Run } from "../command.ts";
import { Exit } from "../failure.ts";
import { plural } from "../humane.ts";

export const run: Run = async ({ values }) => {
  const file = values.positional(0);
  readFileSync(file);
  const parsed = parseStartOptions(["--config", file], {}, (path) => readFileSync(path, "utf8"));
  const faults = parsed.ok ? [] : [...parsed.error];
  const view = faults.length === 0 ? [`${file}: in order`] : faults;
  const summary = faults.length === 0 ? [] : [`${file}: ${plural(faults.length, "fault")}`];
  return {
    data: { file, ok: faults.length === 0, faults },
    view: [...view, ...summary],
    exitCode: faults.length === 0 ? Exit.OK : Exit.FAILED,
  };
};
