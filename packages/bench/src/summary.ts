import { BROKER_ROW, type Figure, FIGURES, type Measurement } from "./figures.ts";
import { ALL_VARIANTS, type Variant, VARIANTS } from "./scenarios.ts";
import { type Ratio, ratio, type Spread, spread } from "./statistics.ts";
import { type Limit, LIMITS, type Target, TARGETS } from "./targets.ts";

/** One figure of one row, for every variant that was measured, and ours against theirs. */
export interface Line {
  readonly row: string;
  readonly title: string;
  readonly figure: Figure;
  readonly values: readonly { readonly variant: Variant; readonly spread: Spread }[];
  readonly comparisons: readonly Comparison[];
  /** What ours must not exceed, whatever Kafka's is. */
  readonly limit?: {
    readonly ours: Variant;
    readonly most: number;
    readonly verdict: "reached" | "missed";
  };
}

export interface Comparison {
  readonly ours: Variant;
  readonly theirs: Variant;
  readonly ratio: Ratio;
  /** The ratio that is wanted; null where none was set. */
  readonly target: number | null;
  readonly verdict: Verdict;
}

/** Against the target, or where there is none, against being equal. */
export type Verdict = "reached" | "missed" | "ahead" | "behind";

/** Against which variant of theirs each of ours is held. */
const OPPONENTS: readonly (readonly [Variant, Variant])[] = [
  ["ours-page-cache", "kafka-stock"],
  ["ours-fsync", "kafka-stock"],
  ["ours-fsync", "kafka-flush1"],
];

/** Under full load latency says only how much was in flight. */
const isSaturating = (row: string): boolean => /^(produce|fetch|java)-/.test(row);
const isPaced = (row: string): boolean => /^(half|latency|tail)-/.test(row);
const LATENCIES: ReadonlySet<Figure> = new Set<Figure>(["p50Ms", "p99Ms"]);

/** A stop of the whole machine that is longer is warned of. */
const STANDSTILL_MS_MAX = 10;

export function judge(figure: Figure, value: number, target: number | null): Verdict {
  const isMore = FIGURES[figure].better === "more";
  const reaches = (limit: number): boolean => (isMore ? value >= limit : value <= limit);
  if (target !== null) return reaches(target) ? "reached" : "missed";
  return reaches(1) ? "ahead" : "behind";
}

/** Lines in the order of `rows`, then of the figures; what nobody measured is left out. */
export function summarize(
  measurements: readonly Measurement[],
  rows: readonly { readonly id: string; readonly title: string }[],
  targets: readonly Target[] = TARGETS,
  limits: readonly Limit[] = LIMITS,
): Line[] {
  const lines: Line[] = [];
  for (const { id, title } of [...rows, { id: BROKER_ROW, title: "the broker itself" }]) {
    for (const figure of Object.keys(FIGURES) as Figure[]) {
      if (LATENCIES.has(figure) && isSaturating(id)) continue;
      const valuesOf = (variant: Variant): number[] =>
        measurements
          .filter((one) => one.row === id && one.variant === variant)
          .flatMap((one) => one.figures[figure] ?? []);
      const values = ALL_VARIANTS.flatMap((variant) => {
        const of = spread(valuesOf(variant));
        return of === null ? [] : [{ variant, spread: of }];
      });
      if (values.length === 0) continue;
      // The throughput of a paced row is what it was asked to be.
      const isAsked = figure === "mbPerSecond" && isPaced(id);
      // Quotients already: what their quotient would tell is nothing.
      const isQuotient = FIGURES[figure].unit === "times";
      const isTheMachines = figure === "standstillMs" || figure === "gcPausesLeftOut";
      const opponents = isAsked || isQuotient || isTheMachines ? [] : OPPONENTS;
      const comparisons = opponents.flatMap(([ours, theirs]): Comparison[] => {
        const quotient = ratio(valuesOf(ours), valuesOf(theirs));
        if (quotient === null) return [];
        const wanted = targets.find(
          (one) =>
            one.row === id && one.figure === figure && one.ours === ours && one.theirs === theirs,
        );
        const target = wanted?.ratio ?? null;
        const verdict = judge(figure, quotient.ratio, target);
        return [{ ours, theirs, ratio: quotient, target, verdict }];
      });
      const limit = limits.find((one) => one.row === id && one.figure === figure);
      const held = limit === undefined ? {} : judgeLimit(limit, valuesOf(limit.ours));
      lines.push({ row: id, title, figure, values, comparisons, ...held });
    }
  }
  return lines;
}

function judgeLimit({ ours, most }: Limit, values: readonly number[]): Pick<Line, "limit"> {
  const found = spread(values);
  if (found === null) return {};
  return { limit: { ours, most, verdict: found.median <= most ? "reached" : "missed" } };
}

/** Where we are behind Kafka, or short of what we want, in words. */
export function losses(lines: readonly Line[]): string[] {
  return lines.flatMap((line) => [...comparisonLosses(line), ...limitLosses(line)]);
}

function limitLosses({ title, figure, limit }: Line): string[] {
  if (limit === undefined || limit.verdict === "reached") return [];
  const kind = FIGURES[figure];
  return [
    `${title}, ${kind.title}: ${VARIANTS[limit.ours].title} is above ${limit.most} ${kind.unit}`,
  ];
}

function comparisonLosses({ title, figure, comparisons }: Line): string[] {
  return comparisons.flatMap(({ ours, theirs, ratio, target, verdict }) => {
    const isBehind = judge(figure, ratio.ratio, null) === "behind";
    if (verdict !== "missed" && !isBehind) return [];
    const names = `${VARIANTS[ours].title} against ${VARIANTS[theirs].title}`;
    const wanted = target === null ? "" : ` (wanted: ${target})`;
    const how = isBehind ? "behind" : "ahead, but short of the aim";
    return [
      `${title}, ${FIGURES[figure].title}: ${names} ${ratio.ratio.toFixed(2)}×${wanted}: ${how}`,
    ];
  });
}

/** What a reader must know before believing the figures. */
export function warnings(measurements: readonly Measurement[]): string[] {
  const SHARE_MAX = 0.03;
  const most = (of: (one: Measurement) => number | undefined): number =>
    Math.max(0, ...measurements.map((one) => of(one) ?? 0));
  const count = (of: (one: Measurement) => number | undefined): number =>
    measurements.filter((one) => (of(one) ?? 0) > SHARE_MAX).length;
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const found: string[] = [];
  const strangers = count((one) => one.strangerShare);
  if (strangers > 0) {
    const share = percent(most((one) => one.strangerShare));
    found.push(
      `in ${strangers} of ${measurements.length} runs other processes took more than ` +
        `${percent(SHARE_MAX)} of the processors, up to ${share}: machine CPU holds theirs too, ` +
        "and throughput and latency are those of a busy machine",
    );
  }
  const stolen = count((one) => one.stealShare);
  if (stolen > 0) {
    const share = percent(most((one) => one.stealShare));
    found.push(
      `in ${stolen} runs the hypervisor took more than ${percent(SHARE_MAX)}, up to ${share}`,
    );
  }
  const stoodStillMs = most((one) => one.figures.standstillMs);
  if (stoodStillMs > STANDSTILL_MS_MAX) {
    const ms = stoodStillMs.toFixed(0);
    found.push(`all processors stood still at once for up to ${ms} ms: that is in every latency`);
  }
  return found;
}
