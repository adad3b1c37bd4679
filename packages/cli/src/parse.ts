import { parseArgs } from "node:util";
import type { CommandSpec, FlagSpec } from "./command.ts";
import { usage } from "./failure.ts";
import { didYouMean } from "./nearest.ts";
import { Values } from "./values.ts";

export interface Parsed {
  /** The command and what contains it, outermost first; the root is not among them. */
  readonly path: readonly CommandSpec[];
  readonly values: Values;
  /** What stands behind the command's own words. */
  readonly rest: readonly string[];
}

/** The flags that every command has. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: "bootstrap",
    short: "b",
    aliases: ["bootstrap-server", "brokers"],
    value: "HOST:PORT",
    about: "broker to ask first, several with commas (default 127.0.0.1:9092)",
  },
  { name: "output", short: "o", aliases: ["format-as"], value: "FORMAT", about: "how to print" },
  {
    name: "property",
    short: "X",
    value: "KEY=VALUE",
    repeats: true,
    about: "a client property by Kafka's or librdkafka's name",
  },
  { name: "profile", value: "NAME", about: "settings to use (MANTOU_PROFILE)" },
  { name: "timeout", value: "DURATION", about: "how long a broker may take (default 10s)" },
  { name: "color", value: "WHEN", choices: ["auto", "always", "never"], about: "colours" },
  { name: "quiet", short: "q", about: "no notes and no progress on standard error" },
  { name: "help", short: "h", about: "what the command does and takes" },
  { name: "help-json", about: "all commands and flags as JSON" },
  { name: "version", short: "V", about: "versions of mantou, Bun and the addon" },
];

/** Finds the command and checks its words and flags. Throws Failure with exit status 2. */
export function parseCommandLine(root: CommandSpec, argv: readonly string[]): Parsed {
  const path: CommandSpec[] = [];
  let scope = root;
  // Words lead to the command; flags may stand between them.
  for (const word of positionalsOf(argv, [...GLOBAL_FLAGS, ...allFlags(root)])) {
    if (scope.commands === undefined) break;
    const next = scope.commands.find((command) => matches(command, word));
    if (next === undefined) {
      if (asksForHelp(argv)) break;
      throw unknownCommand(path, scope, word);
    }
    path.push(next);
    scope = next;
  }
  const rest = withoutWords(argv, path.length);
  if (scope.isRaw === true) return { path, values: new Values([], new Map()), rest };
  const values = check(scope, path, argv);
  return { path, values, rest };
}

export const matches = (command: CommandSpec, word: string): boolean =>
  command.name === word || command.aliases?.includes(word) === true;

export const flagsOf = (command: CommandSpec): FlagSpec[] => [
  ...(command.flags ?? []),
  ...GLOBAL_FLAGS,
];

const asksForHelp = (argv: readonly string[]): boolean =>
  argv.some((word) => word === "-h" || word === "--help");

/** Every flag of every command: enough to tell the value of a flag from a word of a command. */
function allFlags(command: CommandSpec): FlagSpec[] {
  return [...(command.flags ?? []), ...(command.commands ?? []).flatMap(allFlags)];
}

/** Options for parseArgs; where commands disagree about a flag, the first one counts. */
function optionsOf(flags: readonly FlagSpec[]) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  const shorts = new Set<string>();
  for (const flag of flags) {
    const type = flag.value === undefined ? ("boolean" as const) : ("string" as const);
    for (const name of [flag.name, ...(flag.aliases ?? [])]) {
      if (options[name] !== undefined) continue;
      const short = name === flag.name ? flag.short : undefined;
      if (short === undefined || shorts.has(short)) options[name] = { type };
      else {
        shorts.add(short);
        options[name] = { type, short };
      }
    }
  }
  return options;
}

const tokensOf = (argv: readonly string[], flags: readonly FlagSpec[]) =>
  parseArgs({
    args: [...argv],
    options: optionsOf(flags),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;

function positionalsOf(argv: readonly string[], flags: readonly FlagSpec[]): string[] {
  const words: string[] = [];
  for (const token of tokensOf(argv, flags)) {
    if (token.kind === "option-terminator") break;
    if (token.kind === "positional") words.push(token.value);
  }
  return words;
}

/** Drops the first `count` words that are no flags. */
function withoutWords(argv: readonly string[], count: number): string[] {
  const rest = [...argv];
  for (let left = count; left > 0; left -= 1) {
    const at = rest.findIndex((word) => !word.startsWith("-"));
    if (at >= 0) rest.splice(at, 1);
  }
  return rest;
}

function check(scope: CommandSpec, path: readonly CommandSpec[], argv: readonly string[]): Values {
  const flags = flagsOf(scope);
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  const name = ["mantou", ...path.map((command) => command.name)].join(" ");
  for (const token of tokensOf(argv, flags)) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags.find((f) => f.name === token.name || f.aliases?.includes(token.name));
    const isShort = !token.rawName.startsWith("--");
    if (flag === undefined || (isShort && flag.short !== token.rawName.slice(1))) {
      if (asksForHelp(argv)) continue;
      throw unknownFlag(name, flags, token.rawName);
    }
    const value = checkedValue(flag, token.rawName, token.value);
    const list = given.get(flag.name) ?? [];
    list.push(value);
    given.set(flag.name, list);
  }
  const typed = new Values(positionals.slice(path.length), given);
  const values = scope.adapt?.(typed) ?? typed;
  const asksOnly = values.has("help") || values.has("help-json") || values.has("version");
  if (!asksOnly && scope.load !== undefined) checkPositionals(scope, name, values.positionals);
  return values;
}

function checkedValue(flag: FlagSpec, rawName: string, value: string | undefined): string {
  if (flag.value === undefined) {
    if (value !== undefined) throw usage(`${rawName} takes no value`);
    return "true";
  }
  if (value === undefined) throw usage(`${rawName} needs a value: ${rawName} ${flag.value}`);
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const near = didYouMean(value, flag.choices);
    const choices = `one of ${flag.choices.join(", ")}`;
    throw usage(`${rawName} ${JSON.stringify(value)} is not known`, near ?? choices);
  }
  return value;
}

function checkPositionals(scope: CommandSpec, name: string, words: readonly string[]): void {
  const specs = scope.positionals ?? [];
  const missing = specs.find((spec, index) => spec.optional !== true && index >= words.length);
  if (missing !== undefined) {
    throw usage(`${name} needs ${missing.name}: ${missing.about}`, `see ${name} --help`);
  }
  const takesMore = specs.at(-1)?.repeats === true;
  if (words.length <= specs.length || takesMore) return;
  throw usage(`${name} does not take ${JSON.stringify(words[specs.length])}`, `see ${name} --help`);
}

function unknownCommand(path: readonly CommandSpec[], scope: CommandSpec, word: string) {
  const words = path.map((command) => command.name);
  const names = (scope.commands ?? []).filter((c) => c.isHidden !== true).map((c) => c.name);
  const aliases = (scope.commands ?? []).flatMap((command) => command.aliases ?? []);
  const what = [...words, word].join(" ");
  const hint = didYouMean(word, [...names, ...aliases]);
  return usage(`${JSON.stringify(what)} is no command`, hint ?? `there are ${names.join(", ")}`);
}

function unknownFlag(name: string, flags: readonly FlagSpec[], rawName: string) {
  const long = rawName.startsWith("--");
  const known = flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]);
  const near = long ? didYouMean(rawName.slice(2), known) : null;
  const hint = near?.replace(/(?<= (mean|or) |, )(?=\S)/g, "--") ?? `see ${name} --help`;
  return usage(`${name} has no flag ${rawName}`, hint);
}
