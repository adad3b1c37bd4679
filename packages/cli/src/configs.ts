import type { Client, ConfigEntry, ConfigResource } from "@mantou/client";
import type { Column } from "./answer.ts";
import { Failure, usage } from "./failure.ts";
import { didYouMean } from "./nearest.ts";
import { existingTopic } from "./topics.ts";

/** Names of Kafka's config sources, for people and programs. */
const SOURCES: Readonly<Record<number, string>> = {
  1: "topic",
  2: "broker",
  3: "all brokers",
  4: "start",
  5: "default",
  6: "logger",
  7: "metrics",
  8: "group",
};

/** One setting as it is shown. */
export interface ShownConfig {
  readonly name: string;
  readonly value: string | null;
  readonly source: string;
  readonly default: string | null;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly documentation: string | null;
}

const DEFAULT_SOURCE = 5;

export function shownConfig(entry: ConfigEntry): ShownConfig {
  // The weakest place that has a value is the default; it may bear the broker's name for it.
  const weakest = entry.synonyms.at(-1);
  const isDefault = weakest?.source === DEFAULT_SOURCE;
  return {
    name: entry.name,
    value: entry.value,
    source: SOURCES[entry.configSource] ?? String(entry.configSource),
    default: isDefault ? defaultText(entry.name, weakest) : null,
    readOnly: entry.readOnly,
    sensitive: entry.isSensitive,
    documentation: entry.documentation,
  };
}

/** A broker's setting behind the default may count in other units (hours): it is named then. */
const defaultText = (name: string, weakest: { name: string; value: string | null }) =>
  weakest.name === name || weakest.value === null
    ? weakest.value
    : `${weakest.name}=${weakest.value}`;

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : 1;

export const shownConfigs = (entries: readonly ConfigEntry[]): ShownConfig[] =>
  entries.map(shownConfig).sort(byName);

/** Those that somebody has set. */
export const changedConfigs = (entries: readonly ConfigEntry[]): ShownConfig[] =>
  shownConfigs(entries).filter((config) => config.source !== "default");

export const configColumns: readonly Column<ShownConfig>[] = [
  { title: "KEY", of: (row) => row.name },
  { title: "VALUE", of: (row) => (row.sensitive ? "(hidden)" : row.value) },
  { title: "SOURCE", of: (row) => row.source },
  { title: "DEFAULT", of: (row) => row.default, isWide: true },
  { title: "WHILE RUNNING", of: (row) => !row.readOnly, isWide: true },
  { title: "WHAT IT DOES", of: (row) => row.documentation, isWide: true },
];

const KINDS = ["topic", "broker", "group"] as const;

/** What a person means by `topic orders`, `broker 1` or `broker all`. Throws Failure. */
export function resourceOf(kind: string, name: string): ConfigResource {
  const singular = kind.replace(/s$/, "") === "node" ? "broker" : kind.replace(/s$/, "");
  const type = KINDS.find((known) => known === singular);
  if (type === undefined) {
    const hint = didYouMean(kind, KINDS) ?? `one of ${KINDS.join(", ")}`;
    throw usage(`${JSON.stringify(kind)} has no settings`, hint);
  }
  if (type !== "broker") return { type, name };
  if (name === "all" || name === "default") return { type, name: "" };
  if (!/^\d+$/.test(name)) {
    throw usage(
      `${JSON.stringify(name)} is no broker's id`,
      "see mantou node list; all for every broker",
    );
  }
  return { type, name };
}

/** Makes sure that a topic is there, so that a typing error is answered with the nearest names. */
export async function checkedResource(
  client: Client,
  kind: string,
  name: string,
): Promise<ConfigResource> {
  const resource = resourceOf(kind, name);
  if (resource.type === "topic") await existingTopic(client, name);
  return resource;
}

/** Adds the nearest known name to a broker's refusal of a setting. */
export async function refusedConfig(
  client: Client,
  resource: ConfigResource,
  keys: readonly string[],
  error: unknown,
): Promise<unknown> {
  const { errorName, message } = error as { errorName?: string; message?: string };
  if (errorName !== "INVALID_CONFIG" && errorName !== "INVALID_REQUEST") return error;
  const known = await client.admin.describeConfigs(resource).catch(() => []);
  const names = known.map((entry) => entry.name);
  const unknown = keys.find((key) => !names.includes(key));
  const near =
    unknown === undefined || /did you mean/.test(message ?? "") ? null : didYouMean(unknown, names);
  return new Failure(errorName, message ?? "", { hint: near });
}
