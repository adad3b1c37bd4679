import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BrokerConfig } from "@mantou/catalog";
import { brokerConfigNameOf, parseBrokerConfig } from "@mantou/catalog";
import type { Result } from "@mantou/base";
import { err, ok } from "@mantou/base";

export const START_USAGE = `mantou start - run a broker

  --listen HOST:PORT     address for clients (default 127.0.0.1:9092); repeat as NAME://HOST:PORT
  --data-dir DIR         where logs and metadata live (default ./mantou-data)
  --admin-listen H:P     address for /healthz, /readyz and /metrics (default 127.0.0.1:9644), or none
  --config FILE          settings as a TOML file, by Kafka's names
  --set KEY=VALUE        one setting; wins over file and environment; may be repeated
  --help                 this text

Settings also come from the environment: MANTOU_NUM_PARTITIONS=3 is num.partitions=3.
`;

export interface StartOptions {
  readonly help: boolean;
  readonly config: BrokerConfig;
}

type Entry = readonly [name: string, value: string];

/** Reads a file as text; the errors of the file system come back as they are. */
export type ReadText = (path: string) => string;

/**
 * Flags over environment over file. An error is one line per fault: what, why, what to do.
 * @param argv the arguments behind `start`.
 */
export function parseStartOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  readText: ReadText,
): Result<StartOptions, readonly string[]> {
  const flags = parseFlags(argv);
  if (!flags.ok) return flags;
  const { values } = flags.value;
  // Whoever asks for help may have got something else wrong.
  const defaults = parseBrokerConfig([]);
  if (values.help === true && defaults.ok) return ok({ help: true, config: defaults.value });
  const entries: Entry[] = [];
  if (values.config !== undefined) {
    const file = readConfigFile(values.config, readText);
    if (!file.ok) return file;
    entries.push(...file.value);
  }
  entries.push(...environmentEntries(environment));
  const set = flagEntries(values);
  if (!set.ok) return set;
  entries.push(...set.value);
  const relative = parseBrokerConfig(entries);
  if (!relative.ok) return relative;
  // Clients are shown the directory's path; a relative one would mean nothing to them.
  entries.push(["log.dirs", resolve(relative.value.logDir)]);
  const config = parseBrokerConfig(entries);
  if (!config.ok) return config;
  return ok({ help: false, config: config.value });
}

interface Flags {
  readonly values: {
    readonly listen?: string[];
    readonly "data-dir"?: string;
    readonly "admin-listen"?: string;
    readonly config?: string;
    readonly set?: string[];
    readonly help?: boolean;
  };
}

function parseFlags(argv: readonly string[]): Result<Flags, readonly string[]> {
  try {
    const { values } = parseArgs({
      args: [...argv],
      allowPositionals: false,
      strict: true,
      options: {
        listen: { type: "string", multiple: true },
        "data-dir": { type: "string" },
        "admin-listen": { type: "string" },
        config: { type: "string" },
        set: { type: "string", multiple: true },
        help: { type: "boolean", short: "h" },
      },
    });
    return ok({ values: values as Flags["values"] });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    return err([`${reason}; see \`mantou start --help\``]);
  }
}

function flagEntries(flags: Flags["values"]): Result<Entry[], readonly string[]> {
  const { listen = [], set = [] } = flags;
  const dataDirectory = flags["data-dir"];
  const admin = flags["admin-listen"];
  const entries: Entry[] = [];
  if (listen.length > 0) {
    const addresses = listen.map((address) =>
      address.includes("://") ? address : `PLAINTEXT://${address}`,
    );
    entries.push(["listeners", addresses.join(",")]);
  }
  if (dataDirectory !== undefined) entries.push(["log.dirs", dataDirectory]);
  if (admin !== undefined) entries.push(["mantou.admin.listen", admin]);
  for (const item of set) {
    const at = item.indexOf("=");
    if (at <= 0) return err([`--set ${JSON.stringify(item)} is not of the form KEY=VALUE`]);
    entries.push([item.slice(0, at), item.slice(at + 1)]);
  }
  return ok(entries);
}

/** MANTOU_ names that are not settings: how the process runs, and what the client commands read. */
const NOT_SETTINGS = new Set([
  "MANTOU_BOOTSTRAP",
  "MANTOU_LONG",
  "MANTOU_NATIVE_PATH",
  "MANTOU_PROFILE",
  "MANTOU_PROFILES",
  "MANTOU_SEED",
]);

function environmentEntries(environment: Readonly<Record<string, string | undefined>>): Entry[] {
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith("MANTOU_") || NOT_SETTINGS.has(name)) continue;
    entries.push([brokerConfigNameOf(name.slice("MANTOU_".length)), value]);
  }
  return entries;
}

function readConfigFile(path: string, readText: ReadText): Result<Entry[], readonly string[]> {
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    return err([`--config ${path}: ${reasonOf(error)}`]);
  }
  try {
    return ok(flatten(Bun.TOML.parse(text) as Record<string, unknown>, ""));
  } catch (error) {
    return err([`--config ${path} is not valid TOML: ${reasonOf(error)}`]);
  }
}

/** `[log.retention] ms = 1` and `log.retention.ms = 1` and `"log.retention.ms" = 1` are one name. */
function flatten(table: Record<string, unknown>, prefix: string): Entry[] {
  const entries: Entry[] = [];
  for (const [key, value] of Object.entries(table)) {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    if (Array.isArray(value)) entries.push([name, value.join(",")]);
    else if (typeof value === "object" && value !== null) {
      entries.push(...flatten(value as Record<string, unknown>, name));
    } else entries.push([name, String(value)]);
  }
  return entries;
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] as string;
