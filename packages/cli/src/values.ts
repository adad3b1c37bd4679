import { usage } from "./failure.ts";

/** What was typed behind a command, checked against its specification. */
export class Values {
  constructor(
    readonly positionals: readonly string[],
    private readonly given: ReadonlyMap<string, readonly string[]>,
  ) {}

  has(flag: string): boolean {
    return this.given.has(flag);
  }

  /** The same with a flag set, or taken away (null). */
  with(flag: string, value: string | null): Values {
    const given = new Map(this.given);
    if (value === null) given.delete(flag);
    else given.set(flag, [value]);
    return new Values(this.positionals, given);
  }

  /** The same with other positionals. */
  withPositionals(positionals: readonly string[]): Values {
    return new Values(positionals, this.given);
  }

  /** The last value of a flag, or null. */
  text(flag: string): string | null {
    return this.given.get(flag)?.at(-1) ?? null;
  }

  list(flag: string): readonly string[] {
    return this.given.get(flag) ?? [];
  }

  /** A whole number within bounds, or null where the flag was not given. Throws Failure. */
  integer(flag: string, min = 0, max: number = Number.MAX_SAFE_INTEGER): number | null {
    const text = this.text(flag);
    return text === null ? null : integerOf(`--${flag}`, text, min, max);
  }

  /** A positional that the command line parser has found to be there. */
  positional(index: number): string {
    return this.positionals[index] ?? "";
  }

  /** `key=value` pairs of a flag that repeats. Throws Failure. */
  pairs(flag: string): [string, string][] {
    return this.list(flag).map((item) => pairOf(`--${flag}`, item));
  }
}

/** Throws Failure. */
export function integerOf(what: string, text: string, min: number, max: number): number {
  const number = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max)) {
    const bounds = max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw usage(`${what} ${JSON.stringify(text)} is not a whole number ${bounds}`);
  }
  return number;
}

/** Cuts `key=value` at its first `=`. Throws Failure. */
export function pairOf(what: string, item: string): [string, string] {
  const at = item.indexOf("=");
  if (at <= 0) throw usage(`${what} ${JSON.stringify(item)} is not of the form KEY=VALUE`);
  return [item.slice(0, at), item.slice(at + 1)];
}
