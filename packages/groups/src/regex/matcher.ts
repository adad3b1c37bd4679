import { assert } from "@mantou/base";
import { isWordCode } from "./char-class.ts";
import type { Assertion } from "./node.ts";
import type { Instruction } from "./program.ts";

/** What stands before the next character; a state of the automaton remembers it. */
const BEFORE_START = 0;
const BEFORE_LINE = 1;
const BEFORE_WORD = 2;
const BEFORE_OTHER = 3;

const END = -1;
const ASCII_END = 128;
const NEWLINE = 0x0a;
/** Kept states, and positions in them. Beyond this the cache is built anew: memory is bounded. */
const STATES_MAX = 256;
const POSITIONS_MAX = 50_000;

interface State {
  /** Where the machine stands before it has looked at the next character, ascending. */
  readonly at: readonly number[];
  readonly before: number;
  /** By ASCII code, filled as needed. */
  readonly next: (State | undefined)[];
  atEnd: boolean | undefined;
}

/**
 * Runs a program over whole texts: Thompson's simulation, its sets of positions kept as the states
 * of a deterministic automaton that is built as texts need it. Time is linear in the text's
 * length, whatever the expression: a character costs at most one pass over the program.
 */
export class Matcher {
  private states = new Map<string, State>();
  private positions = 0;
  private readonly start: State;
  /** Marks of the closure under way; `mark` is the number of the present one. */
  private readonly marks: Uint32Array;
  private mark = 0;

  constructor(private readonly program: readonly Instruction[]) {
    this.marks = new Uint32Array(program.length);
    this.start = { at: [0], before: BEFORE_START, next: [], atEnd: undefined };
  }

  /** Whether the whole text matches. */
  matches(text: string): boolean {
    let state = this.start;
    for (const char of text) {
      const code = char.codePointAt(0) as number;
      const known = code < ASCII_END ? state.next[code] : undefined;
      const next = known ?? this.stateAfter(state, code);
      if (next.at.length === 0) return false;
      state = next;
    }
    state.atEnd ??= this.matchesAtEnd(state);
    return state.atEnd;
  }

  private matchesAtEnd(state: State): boolean {
    const match = this.program.length - 1;
    return this.closure(state, END).includes(match);
  }

  private stateAfter(state: State, code: number): State {
    const at: number[] = [];
    for (const position of this.closure(state, code)) {
      const instruction = this.program[position] as Instruction;
      if (instruction.op === "class" && instruction.of.has(code)) at.push(position + 1);
    }
    const next = this.kept(at, kindOf(code));
    if (code < ASCII_END) state.next[code] = next;
    return next;
  }

  private kept(positions: readonly number[], before: number): State {
    const at = [...positions].sort((a, b) => a - b);
    const key = `${before}:${at.join(",")}`;
    const known = this.states.get(key);
    if (known !== undefined) return known;
    const isFull = this.states.size >= STATES_MAX || this.positions + at.length > POSITIONS_MAX;
    if (isFull) this.forget();
    this.positions += at.length;
    const state: State = { at, before, next: [], atEnd: undefined };
    this.states.set(key, state);
    return state;
  }

  private forget(): void {
    for (const state of this.states.values()) state.next.length = 0;
    this.states = new Map();
    this.positions = 0;
    this.start.next.length = 0;
  }

  /** All positions that are reached without taking a character, `code` being what comes next. */
  private closure(state: State, code: number): number[] {
    this.mark++;
    const reached: number[] = [];
    const pending = [...state.at];
    while (pending.length > 0) {
      const position = pending.pop() as number;
      if (this.marks[position] === this.mark) continue;
      this.marks[position] = this.mark;
      const instruction = this.program[position];
      assert(instruction !== undefined, "the program ends with a match");
      if (instruction.op === "jump") pending.push(instruction.to);
      else if (instruction.op === "split") pending.push(instruction.second, instruction.first);
      else if (instruction.op === "assert") {
        if (holds(instruction.assertion, state.before, code)) pending.push(position + 1);
      } else reached.push(position);
    }
    return reached;
  }
}

function kindOf(code: number): number {
  if (code === NEWLINE) return BEFORE_LINE;
  return isWordCode(code) ? BEFORE_WORD : BEFORE_OTHER;
}

function holds(assertion: Assertion, before: number, code: number): boolean {
  switch (assertion) {
    case "textStart":
      return before === BEFORE_START;
    case "textEnd":
      return code === END;
    case "lineStart":
      return before === BEFORE_START || before === BEFORE_LINE;
    case "lineEnd":
      return code === END || code === NEWLINE;
    case "word":
      return (before === BEFORE_WORD) !== isWordCode(code);
    case "notWord":
      return (before === BEFORE_WORD) === isWordCode(code);
  }
}
