import { RegexError } from "./node.ts";

/** Pairs [low, high] of code points, both included; ascending and apart once normalised. */
export type Ranges = readonly (readonly [number, number])[];

const CODE_POINT_MAX = 0x10ffff;
const ASCII_END = 128;

/** A set of code points. ASCII, of which topic names are made, is a bit set. */
export class CharClass {
  private readonly ascii = new Uint8Array(ASCII_END);

  constructor(readonly ranges: Ranges) {
    for (const [low, high] of ranges) {
      for (let code = low; code <= high && code < ASCII_END; code++) this.ascii[code] = 1;
    }
  }

  has(code: number): boolean {
    if (code < ASCII_END) return this.ascii[code] === 1;
    for (const [low, high] of this.ranges) if (code >= low && code <= high) return true;
    return false;
  }
}

/** Sorted, with what touches or overlaps joined. */
export function normalise(ranges: Ranges): Ranges {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else joined.push([low, high]);
  }
  return joined;
}

export function negate(ranges: Ranges): Ranges {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [low, high] of normalise(ranges)) {
    if (low > next) rest.push([next, low - 1]);
    next = high + 1;
  }
  if (next <= CODE_POINT_MAX) rest.push([next, CODE_POINT_MAX]);
  return rest;
}

/** Adds the other case of every ASCII letter, and of single code points beyond ASCII. */
export function foldCase(ranges: Ranges): Ranges {
  const folded: [number, number][] = ranges.map(([low, high]) => [low, high]);
  for (const [low, high] of ranges) {
    addShifted(folded, low, high, 0x41, 0x5a, 32);
    addShifted(folded, low, high, 0x61, 0x7a, -32);
    if (low !== high || low < ASCII_END) continue;
    const text = String.fromCodePoint(low);
    for (const other of [text.toLowerCase(), text.toUpperCase()]) {
      const code = other.codePointAt(0) as number;
      if (String.fromCodePoint(code) === other) folded.push([code, code]);
    }
  }
  return normalise(folded);
}

function addShifted(
  into: [number, number][],
  low: number,
  high: number,
  from: number,
  to: number,
  shift: number,
): void {
  const start = Math.max(low, from);
  const end = Math.min(high, to);
  if (start <= end) into.push([start + shift, end + shift]);
}

const DIGIT: Ranges = [[0x30, 0x39]];
const UPPER: Ranges = [[0x41, 0x5a]];
const LOWER: Ranges = [[0x61, 0x7a]];
const ALPHA: Ranges = [...UPPER, ...LOWER];
const WORD: Ranges = [...DIGIT, ...UPPER, [0x5f, 0x5f], ...LOWER];
// RE2's \s has no vertical tab; POSIX's [[:space:]] does.
const PERL_SPACE: Ranges = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
];

const PERL: Readonly<Record<string, Ranges>> = { d: DIGIT, s: PERL_SPACE, w: WORD };

/** The class of `\d`, `\S` and their like, or undefined. */
export function perlClass(letter: string): Ranges | undefined {
  const ranges = PERL[letter.toLowerCase()];
  if (ranges === undefined) return undefined;
  return letter === letter.toLowerCase() ? normalise(ranges) : negate(ranges);
}

const POSIX: Readonly<Record<string, Ranges>> = {
  alnum: [...DIGIT, ...ALPHA],
  alpha: ALPHA,
  ascii: [[0, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: DIGIT,
  graph: [[0x21, 0x7e]],
  lower: LOWER,
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: UPPER,
  word: WORD,
  xdigit: [...DIGIT, [0x41, 0x46], [0x61, 0x66]],
};

/** The class of `[:alpha:]` or `[:^alpha:]`, without the brackets and colons. */
export function posixClass(name: string): Ranges {
  const ranges = POSIX[name.replace(/^\^/, "")];
  if (ranges === undefined) throw new RegexError(`invalid character class [:${name}:]`);
  return name.startsWith("^") ? negate(ranges) : normalise(ranges);
}

const CATEGORIES = new Set(
  ["C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn"].concat(
    ["N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm"],
    ["So", "Z", "Zl", "Zp", "Zs"],
  ),
);

/**
 * The class of `\p{Name}`: a general category or a script. Of its members only ASCII is listed,
 * since nothing else can be in a topic's name; the rest of Unicode counts as not in it.
 */
export function unicodeClass(name: string): Ranges {
  const negated = name.startsWith("^");
  const bare = negated ? name.slice(1) : name;
  const ranges = bare === "Any" ? [[0, CODE_POINT_MAX] as const] : asciiMembers(bare);
  return negated ? negate(ranges) : ranges;
}

function asciiMembers(name: string): Ranges {
  const isCategory = CATEGORIES.has(name);
  if (!isCategory && !/^[A-Z][a-z]+(_[A-Z][a-z]+)*$/.test(name)) {
    throw new RegexError(`invalid character class range \\p{${name}}`);
  }
  let member: RegExp;
  try {
    // One code point against one class of a name that was checked: nothing here can blow up.
    member = new RegExp(isCategory ? `^\\p{${name}}$` : `^\\p{Script=${name}}$`, "u");
  } catch {
    throw new RegexError(`invalid character class range \\p{${name}}`);
  }
  const ranges: [number, number][] = [];
  for (let code = 0; code < ASCII_END; code++) {
    if (member.test(String.fromCharCode(code))) ranges.push([code, code]);
  }
  return normalise(ranges);
}

export const isWordCode = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x5f ||
  (code >= 0x61 && code <= 0x7a);
