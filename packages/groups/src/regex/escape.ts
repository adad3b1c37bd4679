import type { Ranges } from "./char-class.ts";
import { negate, perlClass, unicodeClass } from "./char-class.ts";
import { RegexError } from "./node.ts";

const CODE_POINT_MAX = 0x10ffff;

/** The code points of a pattern and how far it has been read. */
export class PatternCursor {
  private readonly codes: readonly string[];
  at = 0;

  constructor(pattern: string) {
    this.codes = Array.from(pattern);
  }

  get done(): boolean {
    return this.at >= this.codes.length;
  }

  peek(ahead = 0): string | undefined {
    return this.codes[this.at + ahead];
  }

  next(): string {
    const code = this.codes[this.at];
    if (code === undefined) throw new RegexError("unexpected end of the expression");
    this.at++;
    return code;
  }

  /** Takes `text` if it comes next. */
  take(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.codes[this.at + i] !== text[i]) return false;
    this.at += text.length;
    return true;
  }

  /** What lies before `end`, which is taken too; undefined, and nothing taken, without an end. */
  takeUntil(end: string): string | undefined {
    const start = this.at;
    let text = "";
    while (!this.done) {
      if (this.take(end)) return text;
      text += this.next();
    }
    this.at = start;
    return undefined;
  }
}

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

/**
 * What follows a backslash, where it stands for characters: one code point, or a class.
 * The backslash has been taken.
 */
export function parseEscape(cursor: PatternCursor): number | Ranges {
  const letter = cursor.next();
  const perl = /^[dswDSW]$/.test(letter) ? perlClass(letter) : undefined;
  if (perl !== undefined) return perl;
  if (letter === "p" || letter === "P") return parseUnicode(cursor, letter === "P");
  const control = CONTROLS[letter];
  if (control !== undefined) return control;
  if (letter === "x") return parseHex(cursor);
  if (/^[0-7]$/.test(letter)) return parseOctal(cursor, letter);
  // Escaped punctuation stands for itself; an escaped letter that means nothing is a mistake.
  const code = letter.codePointAt(0) as number;
  if (code < 128 && !/^[0-9A-Za-z]$/.test(letter)) return code;
  throw new RegexError(`invalid escape sequence \\${letter}`);
}

function parseUnicode(cursor: PatternCursor, negated: boolean): Ranges {
  let name = cursor.next();
  if (name === "{") {
    const long = cursor.takeUntil("}");
    if (long === undefined) throw new RegexError("missing } of a character class");
    name = long;
  }
  const ranges = unicodeClass(name);
  return negated ? negate(ranges) : ranges;
}

function parseHex(cursor: PatternCursor): number {
  const digits = cursor.take("{")
    ? cursor.takeUntil("}")
    : `${cursor.next()}${cursor.peek() === undefined ? "" : cursor.next()}`;
  const wellFormed = digits !== undefined && /^[0-9A-Fa-f]{1,8}$/.test(digits);
  const code = wellFormed ? Number.parseInt(digits, 16) : Number.POSITIVE_INFINITY;
  if (code > CODE_POINT_MAX) throw new RegexError("invalid escape sequence \\x");
  return code;
}

/** `\0`, `\012`, `\123`. A single digit 1 to 7 would be a back-reference, which RE2 has not. */
function parseOctal(cursor: PatternCursor, first: string): number {
  let digits = first;
  while (digits.length < 3 && /^[0-7]$/.test(cursor.peek() ?? "")) digits += cursor.next();
  if (first !== "0" && digits.length < 2) {
    throw new RegexError(`invalid escape sequence \\${first}`);
  }
  return Number.parseInt(digits, 8);
}
