import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { importProperties, importRpk } from "../profile-import.ts";
import { type Profile, profilePath, readProfiles, writeProfiles } from "../profiles.ts";

export const run: Run = async ({ values, environment, output }) => {
  const file = values.positional(0);
  const text = readFileSync(file, "utf8");
  const isYaml = /\.ya?ml$/.test(file) || /^\s*profiles:/m.test(text);
  const name = values.text("name") ?? basename(file, extname(file));
  const imported = isYaml ? importRpk(text) : importProperties(text, name);
  const path = profilePath(environment.variables);
  const before = readProfiles(path);
  const profiles: Record<string, Profile> = { ...before.profiles };
  const rows: {
    name: string;
    bootstrap: string | null;
    ignored: readonly string[];
    status: string;
  }[] = [];
  for (const { name: found, profile, ignored } of imported.profiles) {
    const exists = profiles[found] !== undefined && !values.has("yes");
    if (!exists) profiles[found] = profile;
    const status = exists ? "kept (--yes replaces it)" : "imported";
    rows.push({ name: found, bootstrap: profile.bootstrap ?? null, ignored, status });
    if (ignored.length > 0) await output.warn(`${found}: not used here: ${ignored.join(", ")}`);
  }
  const first = imported.profiles[0]?.name ?? null;
  writeProfiles(path, { current: before.current ?? imported.current ?? first, profiles });
  return {
    data: rows,
    view: [
      table(rows, [
        { title: "PROFILE", of: (row) => row.name },
        { title: "BOOTSTRAP", of: (row) => row.bootstrap },
        { title: "STATUS", of: (row) => row.status },
      ]),
    ],
  };
};
