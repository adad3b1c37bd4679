import { readFileSync } from "node:fs";
import { brokerConfigs } from "@mantou/catalog";
import { parseStartOptions } from "@mantou/server";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { usage } from "../failure.ts";
import { settingsEnvironment } from "../broker-environment.ts";

/** Where a setting of a broker that is started here would come from, in rising order. */
const SOURCES = ["file", "environment", "flag"] as const;

export const run: Run = async ({ values, environment }) => {
  const file = values.text("config");
  const fileFlags = file === null ? [] : ["--config", file];
  const setFlags = values.list("set").flatMap((item) => ["--set", item]);
  const variables = settingsEnvironment(environment.variables);
  const read = (path: string): string => readFileSync(path, "utf8");
  const steps = [
    parseStartOptions(fileFlags, {}, read),
    parseStartOptions(fileFlags, variables, read),
    parseStartOptions([...fileFlags, ...setFlags], variables, read),
  ];
  const all = steps[2];
  if (all?.ok !== true) throw usage((all?.error ?? []).join("\n"));
  const bare = parseStartOptions([], {}, read);
  const fallbackDirectory = bare.ok ? bare.value.config.logDir : "";
  const valueAt = (step: number, name: string): string | null => {
    const parsed = steps[step];
    return parsed?.ok === true ? (parsed.value.config.entries.get(name) ?? null) : null;
  };
  const rows = [...brokerConfigs.values()]
    .map(({ name, fallback, documentation, dynamic }) => {
      const value = all.value.config.entries.get(name) ?? fallback;
      // The directory is made absolute on the way, so that it is never absent from what was given.
      const isUntouched = name === "log.dirs" && value === fallbackDirectory;
      let source = "default";
      let before: string | null = isUntouched ? value : null;
      for (const [step, from] of SOURCES.entries()) {
        const now = valueAt(step, name);
        if (now !== null && now !== before && !(name === "log.dirs" && now === fallbackDirectory)) {
          source = from;
        }
        before = now ?? before;
      }
      return { name, value, default: fallback, source, dynamic, documentation };
    })
    .filter((row) => !values.has("changed") || row.source !== "default")
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    data: rows,
    view: [
      table(rows, [
        { title: "KEY", of: (row) => row.name },
        { title: "VALUE", of: (row) => row.value },
        { title: "DEFAULT", of: (row) => row.default },
        { title: "SOURCE", of: (row) => row.source },
        { title: "WHILE RUNNING", of: (row) => row.dynamic, isWide: true },
        { title: "WHAT IT DOES", of: (row) => row.documentation, isWide: true },
      ]),
    ],
  };
};
