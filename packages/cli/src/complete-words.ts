import type { CommandSpec, FlagSpec, PositionalSpec } from "./command.ts";
import { flagsOf, matches } from "./parse.ts";

export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What may stand at the last word: known words, or the names of things that live elsewhere. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly live: "topic" | "group" | "profile" | "file" | null;
}

const NOTHING: Completion = { candidates: [], live: null };

/** Completes the last of `words` (which may be empty). */
export function completeWords(root: CommandSpec, words: readonly string[]): Completion {
  const current = words.at(-1) ?? "";
  const { scope, positionals, pending } = walk(root, words.slice(0, -1));
  if (pending !== null) return completeValue(pending);
  if (current.startsWith("-")) return starting(flagCandidates(scope), current);
  if (scope.commands !== undefined) {
    const visible = scope.commands.filter((command) => command.isHidden !== true);
    return starting(
      visible.map(({ name, about }) => ({ word: name, about })),
      current,
    );
  }
  const specs = scope.positionals ?? [];
  const last = specs.at(-1);
  const spec = specs[positionals.length] ?? (last?.repeats === true ? last : undefined);
  if (spec === undefined) return starting(flagCandidates(scope), current);
  return completePositional(root, spec, positionals, current);
}

function walk(root: CommandSpec, words: readonly string[]) {
  let scope = root;
  let pending: FlagSpec | null = null;
  const positionals: string[] = [];
  for (const word of words) {
    if (pending !== null) {
      pending = null;
      continue;
    }
    if (word.startsWith("-") && word !== "-") {
      const flag = flagsOf(scope).find(
        (f) =>
          `--${f.name}` === word ||
          `-${f.short}` === word ||
          f.aliases?.some((a) => `--${a}` === word),
      );
      pending = flag?.value === undefined ? null : flag;
      continue;
    }
    const next = scope.commands?.find((command) => matches(command, word));
    if (next !== undefined) scope = next;
    else positionals.push(word);
  }
  return { scope, positionals, pending };
}

function completeValue(flag: FlagSpec): Completion {
  if (flag.choices !== undefined) {
    return { candidates: flag.choices.map((word) => ({ word, about: "" })), live: null };
  }
  if (flag.name === "profile") return { candidates: [], live: "profile" };
  const isFile = flag.value === "FILE" || flag.value === "PATH" || flag.value === "DIR";
  return isFile ? { candidates: [], live: "file" } : NOTHING;
}

function completePositional(
  root: CommandSpec,
  spec: PositionalSpec,
  before: readonly string[],
  current: string,
): Completion {
  const { completes } = spec;
  if (completes === undefined) return NOTHING;
  if (typeof completes === "object") {
    return starting(
      completes.map((word) => ({ word, about: "" })),
      current,
    );
  }
  if (completes === "command") {
    let scope = root;
    for (const word of before) scope = scope.commands?.find((c) => matches(c, word)) ?? scope;
    const visible = (scope.commands ?? []).filter((command) => command.isHidden !== true);
    return starting(
      visible.map(({ name, about }) => ({ word: name, about })),
      current,
    );
  }
  return { candidates: [], live: completes };
}

const flagCandidates = (scope: CommandSpec): Candidate[] =>
  flagsOf(scope).map(({ name, about }) => ({ word: `--${name}`, about }));

const starting = (candidates: readonly Candidate[], prefix: string): Completion => ({
  candidates: candidates.filter(({ word }) => word.startsWith(prefix)),
  live: null,
});
