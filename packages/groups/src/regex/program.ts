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

type Split = Extract<Instruction, { op: "split" }>;
type Jump = Extract<Instruction, { op: "jump" }>;

const VISITS_PER_INSTRUCTION = 4;

/**
 * Compiles to a program that consumes one character per `class` and otherwise falls through.
 * Throws {@link RegexError} where the program would be larger than `instructionsMax`: counted
 * repetitions multiply, `((a{100}){100}){100}` would be a million.
 */
export function compileProgram(node: RegexNode, instructionsMax: number): readonly Instruction[] {
  const compiler = new Compiler(instructionsMax);
  compiler.node(node);
  compiler.emit({ op: "match" });
  return compiler.program;
}

class Compiler {
  readonly program: Instruction[] = [];
  /** Repeating what is empty emits nothing, yet takes time: `(((){1000}){1000}){1000}`. */
  private visits = 0;

  constructor(private readonly instructionsMax: number) {}

  emit<I extends Instruction>(instruction: I): I {
    if (this.program.length >= this.instructionsMax)
      throw new RegexError("expression is too large");
    this.program.push(instruction);
    return instruction;
  }

  node(node: RegexNode): void {
    if (++this.visits > VISITS_PER_INSTRUCTION * this.instructionsMax) {
      throw new RegexError("expression is too large");
    }
    switch (node.kind) {
      case "empty":
        return;
      case "class":
        this.emit({ op: "class", of: node.of });
        return;
      case "assert":
        this.emit({ op: "assert", assertion: node.assertion });
        return;
      case "concat":
        for (const child of node.parts) this.node(child);
        return;
      case "alternate":
        this.alternate(node.choices);
        return;
      case "repeat":
        this.repeat(node.of, node.min, node.max);
    }
  }

  /** Goes on with the next instruction, or with one that is set later. */
  private split(): Split {
    return this.emit({ op: "split", first: this.program.length + 1, second: 0 });
  }

  private alternate(choices: readonly RegexNode[]): void {
    const exits: Jump[] = [];
    for (const choice of choices.slice(0, -1)) {
      const split = this.split();
      this.node(choice);
      exits.push(this.emit({ op: "jump", to: 0 }));
      split.second = this.program.length;
    }
    const last = choices.at(-1);
    if (last !== undefined) this.node(last);
    for (const exit of exits) exit.to = this.program.length;
  }

  private repeat(of: RegexNode, min: number, max: number): void {
    for (let i = 0; i < min; i++) this.node(of);
    if (max === Infinity) {
      const start = this.program.length;
      const split = this.split();
      this.node(of);
      this.emit({ op: "jump", to: start });
      split.second = this.program.length;
      return;
    }
    const splits: Split[] = [];
    for (let i = min; i < max; i++) {
      splits.push(this.split());
      this.node(of);
    }
    for (const split of splits) split.second = this.program.length;
  }
}
