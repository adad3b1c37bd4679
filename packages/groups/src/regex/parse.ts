import type { Ranges } from "./char-class.ts";
import { CharClass, foldCase, negate, normalise, posixClass } from "./char-class.ts";
import { PatternCursor, parseEscape } from "./escape.ts";
import type { RegexNode } from "./node.ts";
import { RegexError } from "./node.ts";

/** RE2's own bound of `{n,m}`. */
const REPEAT_MAX = 1_000;
/** Parentheses within parentheses; the parser and the compiler recurse. */
const DEPTH_MAX = 200;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
}

/** Patterns are mostly literals: each character's class is made once. */
const LITERALS = new Map<number, RegexNode>();
const FOLDED_LITERALS = new Map<number, RegexNode>();

/** Parses RE2 syntax (github.com/google/re2/wiki/Syntax). Throws {@link RegexError}. */
export function parseRegex(pattern: string): RegexNode {
  const parser = new Parser(pattern);
  return parser.parse();
}

class Parser {
  private readonly cursor: PatternCursor;
  private readonly names = new Set<string>();
  private flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false };
  private depth = 0;

  constructor(pattern: string) {
    this.cursor = new PatternCursor(pattern);
  }

  parse(): RegexNode {
    const node = this.alternation();
    if (!this.cursor.done) throw new RegexError("unexpected )");
    return node;
  }

  private alternation(): RegexNode {
    const choices = [this.concatenation()];
    while (this.cursor.take("|")) choices.push(this.concatenation());
    return choices.length === 1 ? (choices[0] as RegexNode) : { kind: "alternate", choices };
  }

  private concatenation(): RegexNode {
    const parts: RegexNode[] = [];
    for (;;) {
      const next = this.cursor.peek();
      if (next === undefined || next === "|" || next === ")") break;
      if (this.cursor.take("\\Q")) {
        this.quoted(parts);
        continue;
      }
      const atom = this.atom();
      // A group of flags alone, `(?i)`, is no expression that could be repeated.
      if (atom !== null) parts.push(this.repeated(atom));
    }
    return parts.length === 1 ? (parts[0] as RegexNode) : { kind: "concat", parts };
  }

  /** `\Q...\E`: everything stands for itself. Without an end it reaches to the end. */
  private quoted(parts: RegexNode[]): void {
    while (!this.cursor.done && !this.cursor.take("\\E")) {
      const literal = this.literal(this.cursor.next().codePointAt(0) as number);
      const last = this.cursor.peek() === "\\" && this.cursor.peek(1) === "E";
      if (!last) {
        parts.push(literal);
        continue;
      }
      // A repetition behind the quote is of its last character.
      this.cursor.take("\\E");
      parts.push(this.repeated(literal));
      return;
    }
  }

  private atom(): RegexNode | null {
    const char = this.cursor.next();
    switch (char) {
      case "(":
        return this.group();
      case "[":
        return this.bracket();
      case ".":
        return this.classOf(this.flags.dotAll ? negate([]) : negate([[0x0a, 0x0a]]));
      case "^":
        return { kind: "assert", assertion: this.flags.multiLine ? "lineStart" : "textStart" };
      case "$":
        return { kind: "assert", assertion: this.flags.multiLine ? "lineEnd" : "textEnd" };
      case "*":
      case "+":
      case "?":
        throw new RegexError(`missing argument to repetition operator ${char}`);
      case "\\":
        return this.escape();
      default:
        return this.literal(char.codePointAt(0) as number);
    }
  }

  private escape(): RegexNode {
    if (this.cursor.take("A")) return { kind: "assert", assertion: "textStart" };
    if (this.cursor.take("z")) return { kind: "assert", assertion: "textEnd" };
    if (this.cursor.take("b")) return { kind: "assert", assertion: "word" };
    if (this.cursor.take("B")) return { kind: "assert", assertion: "notWord" };
    const escaped = parseEscape(this.cursor);
    return typeof escaped === "number" ? this.literal(escaped) : this.classOf(escaped);
  }

  private literal(code: number): RegexNode {
    const shared = this.flags.ignoreCase ? FOLDED_LITERALS : LITERALS;
    const known = shared.get(code);
    if (known !== undefined) return known;
    const node = this.classOf([[code, code]]);
    // Of ASCII only, so that what is shared stays small.
    if (code < 128) shared.set(code, node);
    return node;
  }

  private classOf(ranges: Ranges): RegexNode {
    const folded = this.flags.ignoreCase ? foldCase(ranges) : ranges;
    return { kind: "class", of: new CharClass(folded) };
  }

  private repeated(atom: RegexNode): RegexNode {
    const bounds = this.repetition();
    if (bounds === null) return atom;
    const again = this.cursor.at;
    if (this.repetition() !== null) {
      this.cursor.at = again;
      throw new RegexError("invalid nested repetition operator");
    }
    return { kind: "repeat", of: atom, min: bounds[0], max: bounds[1] };
  }

  /** `*`, `+`, `?`, `{n,m}`, each perhaps with `?`; null where none comes next. */
  private repetition(): readonly [number, number] | null {
    let bounds: readonly [number, number] | null = null;
    if (this.cursor.take("*")) bounds = [0, Infinity];
    else if (this.cursor.take("+")) bounds = [1, Infinity];
    else if (this.cursor.take("?")) bounds = [0, 1];
    else if (this.cursor.peek() === "{") bounds = this.counted();
    // Lazy or greedy is the same to somebody who only asks whether it matches.
    if (bounds !== null) this.cursor.take("?");
    return bounds;
  }

  /** `{n}`, `{n,}`, `{n,m}`; anything else in braces is literal text, as in RE2. */
  private counted(): readonly [number, number] | null {
    const start = this.cursor.at;
    this.cursor.take("{");
    const inside = this.cursor.takeUntil("}") ?? "";
    const [low = "", high = low, ...more] = inside.split(",");
    const isCount = /^[0-9]+$/.test(low) && /^[0-9]*$/.test(high) && more.length === 0;
    if (!isCount) {
      this.cursor.at = start;
      return null;
    }
    const min = Number(low);
    const max = high === "" ? Infinity : Number(high);
    const tooLarge = min > REPEAT_MAX || (max !== Infinity && max > REPEAT_MAX);
    if (tooLarge || min > max) throw new RegexError(`invalid repeat count {${inside}}`);
    return [min, max];
  }

  private group(): RegexNode | null {
    const outer = this.flags;
    if (++this.depth > DEPTH_MAX) throw new RegexError("expression nests too deeply");
    if (this.cursor.take("?")) {
      if (this.cursor.take("P<") || this.startsName()) this.name();
      else if (!this.flagGroup()) {
        // `(?i)` holds to the end of the group that it stands in.
        this.depth--;
        return null;
      }
    }
    const node = this.alternation();
    if (!this.cursor.take(")")) throw new RegexError("missing closing )");
    this.flags = outer;
    this.depth--;
    return node;
  }

  /** `(?<name>`, but not `(?<=` and `(?<!`, which RE2 has not. */
  private startsName(): boolean {
    const behind = this.cursor.peek(1);
    return behind !== "=" && behind !== "!" && this.cursor.take("<");
  }

  private name(): void {
    const name = this.cursor.takeUntil(">");
    if (name === undefined || !/^[0-9A-Za-z_]+$/.test(name)) {
      throw new RegexError("invalid named capture");
    }
    if (this.names.has(name)) throw new RegexError(`duplicate name ${name}`);
    this.names.add(name);
  }

  /** Flags behind `(?`. True where an expression follows, false where the group ends at once. */
  private flagGroup(): boolean {
    const flags = { ...this.flags };
    let value = true;
    let minus = false;
    for (;;) {
      const letter = this.cursor.next();
      if (letter === "i") flags.ignoreCase = value;
      else if (letter === "m") flags.multiLine = value;
      else if (letter === "s") flags.dotAll = value;
      else if (letter === "-" && !minus) [value, minus] = [false, true];
      else if (letter === ":" || letter === ")") {
        this.flags = flags;
        return letter === ":";
      } else if (letter !== "U") {
        throw new RegexError(`invalid or unsupported syntax (?${letter}`);
      }
    }
  }

  private bracket(): RegexNode {
    const negated = this.cursor.take("^");
    const ranges: (readonly [number, number])[] = [];
    let first = true;
    // A ] that comes first is a member.
    while (first || this.cursor.peek() !== "]") {
      first = false;
      if (this.cursor.done) throw new RegexError("missing closing ]");
      this.member(ranges);
    }
    this.cursor.next();
    const folded = this.flags.ignoreCase ? foldCase(ranges) : normalise(ranges);
    return { kind: "class", of: new CharClass(negated ? negate(folded) : folded) };
  }

  private member(into: (readonly [number, number])[]): void {
    if (this.cursor.take("[:")) {
      const name = this.cursor.takeUntil(":]");
      if (name === undefined) throw new RegexError("missing closing :]");
      into.push(...posixClass(name));
      return;
    }
    const low = this.memberCode();
    if (typeof low !== "number") {
      into.push(...low);
      return;
    }
    const behind = this.cursor.peek(1);
    if (this.cursor.peek() !== "-" || behind === "]" || behind === undefined) {
      into.push([low, low]);
      return;
    }
    this.cursor.next();
    const high = this.memberCode();
    if (typeof high !== "number" || high < low) {
      throw new RegexError("invalid character class range");
    }
    into.push([low, high]);
  }

  private memberCode(): number | Ranges {
    const char = this.cursor.next();
    return char === "\\" ? parseEscape(this.cursor) : (char.codePointAt(0) as number);
  }
}
