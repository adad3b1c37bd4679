import type { Run } from "../command.ts";
import { usage } from "../failure.ts";
import { type Profile, profilePath, readProfiles, writeProfiles } from "../profiles.ts";
import { clientSettings } from "../settings.ts";

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

export const run: Run = async ({ values, environment }) => {
  const name = values.positional(0);
  if (!NAME.test(name))
    throw usage(`${JSON.stringify(name)} is no name for a profile`, "letters, digits, . _ -");
  const bootstrap = values.text("bootstrap");
  const properties = Object.fromEntries(values.pairs("property"));
  // Refuses what a later command could not use.
  clientSettings(values, {}, null);
  const path = profilePath(environment.variables);
  const file = readProfiles(path);
  const before = file.profiles[name];
  const merged = { ...before?.properties, ...properties };
  const profile: Profile = {
    ...before,
    ...(bootstrap === null ? {} : { bootstrap }),
    ...(Object.keys(merged).length === 0 ? {} : { properties: merged }),
  };
  writeProfiles(path, {
    current: file.current ?? name,
    profiles: { ...file.profiles, [name]: profile },
  });
  const inUse = file.current === null || file.current === name;
  return {
    data: { name, ...profile, inUse },
    view: [`${name}: ${profile.bootstrap ?? "no bootstrap"}${inUse ? " (in use)" : ""}`],
  };
};
