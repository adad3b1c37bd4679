import type { Run } from "../command.ts";
import { profilePath, readProfiles, unknownProfile, writeProfiles } from "../profiles.ts";

export const run: Run = async ({ values, environment, output }) => {
  const name = values.positional(0);
  const path = profilePath(environment.variables);
  const file = readProfiles(path);
  const current = name === "-" ? null : name;
  if (current !== null && file.profiles[current] === undefined) {
    throw unknownProfile(current, Object.keys(file.profiles), "profile use");
  }
  writeProfiles(path, { ...file, current });
  const given = environment.variables["MANTOU_PROFILE"] ?? "";
  if (given !== "" && given !== current) {
    await output.warn(`MANTOU_PROFILE=${given} wins over it in this shell`);
  }
  return {
    data: { current },
    view: [current === null ? "no profile is in use" : `using ${current}`],
  };
};
