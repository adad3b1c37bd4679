import type { Result } from "@mantou/base";
import { err, ok } from "@mantou/base";
import { Matcher } from "./matcher.ts";
import { RegexError } from "./node.ts";
import { parseRegex } from "./parse.ts";
import { compileProgram } from "./program.ts";

/** Longest pattern taken, in UTF-16 units. */
export const PATTERN_LENGTH_MAX = 4_096;
/** Largest program taken; bounds the memory of a pattern and the time per character. */
export const INSTRUCTIONS_MAX = 10_000;

/** A pattern over topic names: it matches where it matches the whole name. */
export interface TopicPattern {
  readonly source: string;
  /** What it costs to keep: instructions of its program. */
  readonly size: number;
  matches(topicName: string): boolean;
}

/**
 * Our own engine, since JavaScript's backtracks and the port of RE2 to JavaScript (re2js) brings
 * captures, replacement and tables of all of Unicode. All that is asked here is whether a topic's
 * name, which is ASCII, matches as a whole; greed and groups do not matter for that.
 */

/**
 * Compiles a subscription's pattern, in RE2 syntax (KIP-848). Matching is linear in the name's
 * length: what would need backtracking (back-references, look-around) is refused, as RE2 does.
 * The error is a text for people.
 */
export function compileTopicPattern(source: string): Result<TopicPattern, string> {
  if (source.length > PATTERN_LENGTH_MAX) {
    return err(`expression is longer than ${PATTERN_LENGTH_MAX} characters`);
  }
  try {
    const program = compileProgram(parseRegex(source), INSTRUCTIONS_MAX);
    const matcher = new Matcher(program);
    const matches = (topicName: string): boolean => matcher.matches(topicName);
    return ok({ source, size: program.length, matches });
  } catch (error) {
    if (error instanceof RegexError) return err(error.message);
    throw error;
  }
}
