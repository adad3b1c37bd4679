import type { Run } from "../command.ts";
import { completeWords } from "../complete-words.ts";
import { parseCommandLine } from "../parse.ts";
import { profilePath, readProfiles, selectProfile } from "../profiles.ts";
import { clientSettings } from "../settings.ts";
import { root } from "../tree.ts";
import { Values } from "../values.ts";

/** Nobody waits longer for a tab key. */
const LIVE_TIMEOUT_MS = 1500;

/** What would end a line, or tell a terminal something. */
const CONTROL = /\p{Cc}/u;

/** Prints candidates, one per line: the word, a tab, what it is. Never an error. */
export const run: Run = async ({ rest, output, environment }) => {
  const words = rest[0] === "--" ? rest.slice(1) : rest;
  const { candidates, live } = completeWords(root, words);
  const current = words.at(-1) ?? "";
  let names: readonly string[] = [];
  try {
    if (live === "topic" || live === "group") names = await liveNames(live, words, environment);
    if (live === "profile") {
      names = Object.keys(readProfiles(profilePath(environment.variables)).profiles);
    }
  } catch {
    // A broker that cannot be reached has no names to offer.
  }
  const lines = [
    ...candidates.map(({ word, about }) => `${word}\t${about}\n`),
    ...names
      .filter((name) => name.startsWith(current) && !CONTROL.test(name))
      .map((name) => `${name}\n`),
  ];
  await output.write(lines.join(""));
  return null;
};

async function liveNames(
  kind: "topic" | "group",
  words: readonly string[],
  environment: Parameters<Run>[0]["environment"],
): Promise<string[]> {
  // What has been typed so far may name the cluster: -b, -X, --profile.
  let values = new Values([], new Map());
  try {
    values = parseCommandLine(root, words.slice(0, -1)).values;
  } catch {
    values = parseCommandLine(root, ["topic", "list", ...bootstrapFlags(words)]).values;
  }
  const profile = selectProfile(values.text("profile"), environment);
  const { client: options } = clientSettings(values, environment.variables, profile);
  const { Client } = await import("@mantou/client");
  const client = await Client.connect({
    ...options,
    connectTimeoutMs: LIVE_TIMEOUT_MS,
    requestTimeoutMs: LIVE_TIMEOUT_MS,
    retryTimeoutMs: LIVE_TIMEOUT_MS,
  });
  try {
    if (kind === "group") return (await client.groups.list()).map((group) => group.groupId);
    const topics = await client.admin.listTopics();
    return topics
      .filter((topic) => !topic.isInternal)
      .map((topic) => topic.name)
      .sort();
  } finally {
    client.abort();
  }
}

function bootstrapFlags(words: readonly string[]): string[] {
  const at = words.findIndex((word) => word === "-b" || word === "--bootstrap");
  const address = at < 0 ? undefined : words[at + 1];
  return address === undefined ? [] : ["-b", address];
}
