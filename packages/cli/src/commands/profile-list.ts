import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { profilePath, readProfiles, selectProfile } from "../profiles.ts";

export const run: Run = async ({ values, environment }) => {
  const file = readProfiles(profilePath(environment.variables));
  const selected = selectProfile(values.text("profile"), environment);
  const rows = Object.entries(file.profiles)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, profile]) => ({
      name,
      inUse: name === selected?.name,
      bootstrap: profile.bootstrap ?? profile.properties?.["bootstrap.servers"] ?? null,
      properties: profile.properties ?? {},
    }));
  return {
    data: rows,
    view: [
      table(
        rows,
        [
          { title: "PROFILE", of: (row) => row.name },
          { title: "IN USE", of: (row) => (row.inUse ? "*" : "") },
          { title: "BOOTSTRAP", of: (row) => row.bootstrap },
          { title: "PROPERTIES", of: (row) => Object.keys(row.properties).join(",") },
        ],
        { empty: "no profiles; write one with: mantou profile set NAME -b HOST:PORT" },
      ),
    ],
  };
};
