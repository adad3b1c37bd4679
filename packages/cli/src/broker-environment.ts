/** MANTOU_ names that belong to the command line, not to a broker's settings. */
const NOT_SETTINGS: ReadonlySet<string> = new Set([
  "MANTOU_PROFILE",
  "MANTOU_PROFILES",
  "MANTOU_BOOTSTRAP",
]);

/** The environment as a broker reads it. */
export const settingsEnvironment = (
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !NOT_SETTINGS.has(name)));
