import type { FigureKind } from "../figures.ts";
import type { Ratio, Spread } from "../statistics.ts";

/** As many digits as the figure deserves; small values get one more rather than becoming zero. */
export function number(value: number, kind: FigureKind): string {
  const digits = kind.digits === 0 && Math.abs(value) < 10 ? 1 : kind.digits;
  return value.toFixed(digits);
}

export function spreadText(spread: Spread, kind: FigureKind): string {
  const median = number(spread.median, kind);
  if (spread.count < 2) return median;
  return `${median} (${number(spread.min, kind)}–${number(spread.max, kind)})`;
}

export function ratioText({ ratio, min, max, pairs }: Ratio): string {
  const digits = ratio < 0.1 ? 3 : 2;
  const middle = `${ratio.toFixed(digits)}×`;
  return pairs < 2 ? middle : `${middle} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}
