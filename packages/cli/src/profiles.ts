import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Environment } from "./environment.ts";
import { Failure, usage } from "./failure.ts";
import { didYouMean } from "./nearest.ts";

/** How to reach one cluster. */
export interface Profile {
  readonly bootstrap?: string;
  /** Client properties, as `-X` takes them. */
  readonly properties?: Readonly<Record<string, string>>;
}

export interface ProfileFile {
  readonly current: string | null;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** A project's own file, found by walking up to the root of its repository. */
const PROJECT_FILE = ".mantou.yaml";

type Variables = Environment["variables"];

/** Where a person's profiles are kept. */
export function profilePath(variables: Variables): string {
  const given = variables["MANTOU_PROFILES"];
  if (given !== undefined && given !== "") return given;
  const config = variables["XDG_CONFIG_HOME"] ?? join(variables["HOME"] ?? "/", ".config");
  return join(config, "mantou", "profiles.yaml");
}

/** Reads the profiles; none where there is no file. Throws Failure. */
export function readProfiles(path: string): ProfileFile {
  if (!existsSync(path)) return { current: null, profiles: {} };
  const content = readYaml(path);
  const { current, profiles } = content as { current?: unknown; profiles?: unknown };
  const known: Record<string, Profile> = {};
  for (const [name, value] of Object.entries((profiles ?? {}) as object)) {
    known[name] = asProfile(value, `${path}: profile ${name}`);
  }
  return { current: typeof current === "string" ? current : null, profiles: known };
}

/** Writes the profiles, whole or not at all, for nobody else to read. Throws Failure. */
export function writeProfiles(path: string, file: ProfileFile): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, `${Bun.YAML.stringify(file, null, 2)}\n`, { mode: 0o600 });
    renameSync(fresh, path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure("PROFILE", `cannot write ${path}: ${why}`);
  }
}

/**
 * The profile to use: `--profile`, MANTOU_PROFILE, the project's file, the one in use.
 * Throws Failure where a named one does not exist.
 */
export function selectProfile(
  flag: string | null,
  { variables, workingDirectory }: Pick<Environment, "variables" | "workingDirectory">,
): { readonly name: string; readonly profile: Profile } | null {
  const given = variables["MANTOU_PROFILE"];
  const named = flag ?? (given === undefined || given === "" ? null : given);
  const project = named === null ? projectFile(workingDirectory) : null;
  if (project !== null) {
    const profile = asProfile(readYaml(project), project);
    const other = (readYaml(project) as { profile?: unknown }).profile;
    if (typeof other !== "string") return { name: project, profile };
    return namedProfile(other, variables, project);
  }
  const path = profilePath(variables);
  if (named !== null) {
    return namedProfile(named, variables, flag === null ? "MANTOU_PROFILE" : "--profile");
  }
  const file = readProfiles(path);
  const profile = file.current === null ? undefined : file.profiles[file.current];
  return file.current === null || profile === undefined ? null : { name: file.current, profile };
}

function namedProfile(name: string, variables: Variables, from: string) {
  const { profiles } = readProfiles(profilePath(variables));
  const profile = profiles[name];
  if (profile === undefined) throw unknownProfile(name, Object.keys(profiles), from);
  return { name, profile };
}

export function unknownProfile(name: string, known: readonly string[], from: string): Failure {
  const list = known.length === 0 ? "there are none: mantou profile set NAME -b HOST:PORT" : null;
  const hint = list ?? didYouMean(name, known) ?? `there are ${known.join(", ")}`;
  return usage(`${from}: there is no profile ${JSON.stringify(name)}`, hint);
}

function projectFile(from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, PROJECT_FILE);
    if (existsSync(path)) return path;
    if (existsSync(join(folder, ".git")) || dirname(folder) === folder) return null;
  }
}

function readYaml(path: string): object {
  try {
    return (Bun.YAML.parse(readFileSync(path, "utf8")) ?? {}) as object;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure("PROFILE", `cannot read ${path}: ${why}`);
  }
}

function asProfile(value: unknown, where: string): Profile {
  if (typeof value !== "object" || value === null) throw new Failure("PROFILE", `${where}: empty`);
  const { bootstrap, properties } = value as { bootstrap?: unknown; properties?: object };
  const texts: Record<string, string> = {};
  for (const [name, item] of Object.entries(properties ?? {})) texts[name] = String(item);
  return {
    ...(bootstrap === undefined ? {} : { bootstrap: String(bootstrap) }),
    ...(Object.keys(texts).length === 0 ? {} : { properties: texts }),
  };
}
