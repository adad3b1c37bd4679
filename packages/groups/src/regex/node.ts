import type { CharClass } from "./char-class.ts";

/** Where an expression of zero width holds. */
export type Assertion = "textStart" | "textEnd" | "lineStart" | "lineEnd" | "word" | "notWord";

/** A parsed expression. Groups, names and greediness are gone: only whether it matches counts. */
export type RegexNode =
  | { readonly kind: "empty" }
  | { readonly kind: "class"; readonly of: CharClass }
  | { readonly kind: "assert"; readonly assertion: Assertion }
  | { readonly kind: "concat"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "alternate"; readonly choices: readonly RegexNode[] }
  /** `max` is Infinity where there is no upper bound. */
  | {
      readonly kind: "repeat";
      readonly of: RegexNode;
      readonly min: number;
      readonly max: number;
    };

/** The pattern is not an expression of RE2, or is larger than we take. The text is for people. */
export class RegexError extends Error {
  override readonly name = "RegexError";
}
