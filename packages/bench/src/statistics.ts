import { assert } from "@mantou/base";

/** What repeated measurements of one figure say. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** One system against another: the quotient of the medians, and how far single pairs strayed. */
export interface Ratio {
  readonly ratio: number;
  /** Smallest and largest quotient of two runs that were neighbours in time. */
  readonly min: number;
  readonly max: number;
  readonly pairs: number;
}

/** The middle value; the mean of the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  assert(values.length > 0, "a median needs values");
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[sorted.length / 2 - 1] as number) + upper) / 2;
}

/** Null where nothing was measured. */
export function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
  };
}

/**
 * `ours` by `theirs`. Values of the same index were measured one after the other, so their quotient
 * is what a change of the machine's mood in between has moved least. Null where a side is missing
 * or divides by nothing.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): Ratio | null {
  if (ours.length === 0 || theirs.length === 0) return null;
  const below = median(theirs);
  if (below <= 0) return null;
  const pairs = Math.min(ours.length, theirs.length);
  const quotients: number[] = [];
  for (let index = 0; index < pairs; index += 1) {
    const divisor = theirs[index] as number;
    if (divisor > 0) quotients.push((ours[index] as number) / divisor);
  }
  if (quotients.length === 0) return null;
  return {
    ratio: median(ours) / below,
    min: Math.min(...quotients),
    max: Math.max(...quotients),
    pairs: quotients.length,
  };
}
