import type { CharClass } from "./char-class.ts";
import type { Assertion, RegexNode } from "./node.ts";
import { RegexError } from "./node.ts";

/** An instruction of Thompson's machine; targets are indices into the program. */
export type Instruction =
  | { readonly op: "class"; readonly of: CharClass }
  | { readonly op: "assert"; readonly assertion: Assertion }
  | { readonly op: "split"; first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "match" };

const VISITS_PER_INSTRUCTION = 4;

/**
 * Compiles to a program that consumes one character per `class` and otherwise falls through.
 * Throws {@link RegexError} where the program would be larger than `instructionsMax`: counted
 * repetitions multiply, `((a{100}){100}){100}` would be a million.
 */
export function compileProgram(node: RegexNode, instructionsMax: number): readonly Instruction[] {
  const program: Instruction[] = [];
  // Repeating what is empty emits nothing, yet takes time: `(((){1000}){1000}){1000}`.
  let visits = 0;
  const emit = (instruction: Instruction): number => {
    if (program.length >= instructionsMax) throw new RegexError("expression is too large");
    return program.push(instruction) - 1;
  };

  const emitAlternate = (choices: readonly RegexNode[]): void => {
    const exits: { to: number }[] = [];
    for (const [index, choice] of choices.entries()) {
      if (index === choices.length - 1) {
        emitNode(choice);
        break;
      }
      const split = { op: "split" as const, first: program.length + 1, second: 0 };
      emit(split);
      emitNode(choice);
      const exit = { op: "jump" as const, to: 0 };
      emit(exit);
      exits.push(exit);
      split.second = program.length;
    }
    for (const exit of exits) exit.to = program.length;
  };

  const emitRepeat = (of: RegexNode, min: number, max: number): void => {
    for (let i = 0; i < min; i++) emitNode(of);
    if (max === Infinity) {
      const split = { op: "split" as const, first: program.length + 1, second: 0 };
      const start = emit(split);
      emitNode(of);
      emit({ op: "jump", to: start });
      split.second = program.length;
      return;
    }
    const splits: { second: number }[] = [];
    for (let i = min; i < max; i++) {
      const split = { op: "split" as const, first: program.length + 1, second: 0 };
      emit(split);
      emitNode(of);
      splits.push(split);
    }
    for (const split of splits) split.second = program.length;
  };

  const emitNode = (part: RegexNode): void => {
    if (++visits > VISITS_PER_INSTRUCTION * instructionsMax) {
      throw new RegexError("expression is too large");
    }
    switch (part.kind) {
      case "empty":
        return;
      case "class":
        emit({ op: "class", of: part.of });
        return;
      case "assert":
        emit({ op: "assert", assertion: part.assertion });
        return;
      case "concat":
        for (const child of part.parts) emitNode(child);
        return;
      case "alternate":
        emitAlternate(part.choices);
        return;
      case "repeat":
        emitRepeat(part.of, part.min, part.max);
    }
  };

  emitNode(node);
  emit({ op: "match" });
  return program;
}
