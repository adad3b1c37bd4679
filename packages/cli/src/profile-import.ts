import { usage } from "./failure.ts";
import type { Profile } from "./profiles.ts";
import { isKnownProperty } from "./settings.ts";

export interface ImportedProfile {
  readonly name: string;
  readonly profile: Profile;
  /** Names in the file that this client has no use for. */
  readonly ignored: readonly string[];
}

export interface Imported {
  readonly profiles: readonly ImportedProfile[];
  readonly current: string | null;
}

/** Lines of a Java properties file: `key=value` or `key: value`, with continuations and comments. */
export function parseProperties(text: string): [string, string][] {
  const lines = text.replace(/\\\r?\n[ \t]*/g, "").split(/\r?\n/);
  const pairs: [string, string][] = [];
  for (const line of lines) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#") || trimmed.startsWith("!")) continue;
    const match = /^([^=:\s]+)\s*[=:\s]\s*(.*)$/.exec(trimmed);
    if (match !== null) pairs.push([match[1] ?? "", match[2] ?? ""]);
  }
  return pairs;
}

/** A profile from a client.properties. */
export function importProperties(text: string, name: string): Imported {
  const properties: Record<string, string> = {};
  const ignored: string[] = [];
  let bootstrap: string | undefined;
  for (const [key, value] of parseProperties(text)) {
    if (key === "bootstrap.servers" || key === "metadata.broker.list") bootstrap = value;
    else if (isKnownProperty(key)) properties[key] = value;
    else ignored.push(key);
  }
  const profile = profileOf(bootstrap, properties);
  return { profiles: [{ name, profile, ignored }], current: null };
}

interface RpkProfile {
  readonly name?: unknown;
  readonly kafka_api?: {
    readonly brokers?: unknown;
    readonly tls?: {
      readonly ca_file?: unknown;
      readonly enabled?: unknown;
      readonly insecure_skip_verify?: unknown;
    } | null;
    readonly sasl?: object | null;
  };
}

/** The profiles of an rpk.yaml. Throws Failure where it is none. */
export function importRpk(text: string): Imported {
  let parsed: { profiles?: unknown; current_profile?: unknown };
  try {
    parsed = (Bun.YAML.parse(text) ?? {}) as typeof parsed;
  } catch (error) {
    throw usage(`not YAML: ${(error as Error).message}`);
  }
  if (!Array.isArray(parsed.profiles)) throw usage("no profiles in it: is it an rpk.yaml?");
  const profiles = (parsed.profiles as RpkProfile[]).map((entry) => {
    const { brokers, tls, sasl } = entry.kafka_api ?? {};
    const properties: Record<string, string> = {};
    const enabled = tls !== undefined && tls !== null && tls.enabled !== false;
    if (enabled) properties["security.protocol"] = "SSL";
    if (enabled && typeof tls.ca_file === "string") properties["ssl.ca.location"] = tls.ca_file;
    if (enabled && tls.insecure_skip_verify === true) {
      properties["enable.ssl.certificate.verification"] = "false";
    }
    const bootstrap = Array.isArray(brokers) ? brokers.join(",") : undefined;
    const ignored = sasl === undefined || sasl === null ? [] : ["sasl"];
    return {
      name: String(entry.name ?? "rpk"),
      profile: profileOf(bootstrap, properties),
      ignored,
    };
  });
  const current = typeof parsed.current_profile === "string" ? parsed.current_profile : null;
  return { profiles, current };
}

const profileOf = (
  bootstrap: string | undefined,
  properties: Readonly<Record<string, string>>,
): Profile => ({
  ...(bootstrap === undefined ? {} : { bootstrap }),
  ...(Object.keys(properties).length === 0 ? {} : { properties }),
});
