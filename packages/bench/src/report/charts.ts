import { type Figure, FIGURES } from "../figures.ts";
import { ALL_VARIANTS, type Variant, VARIANTS } from "../scenarios.ts";
import type { Line } from "../summary.ts";

/** What the script in the page draws: bars by row, a colour for each variant, whiskers. */
export interface ChartData {
  readonly title: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly sets: readonly {
    readonly label: string;
    readonly color: string;
    readonly data: readonly (number | null)[];
    /** Smallest and largest of each bar. */
    readonly ranges: readonly (readonly [number, number] | null)[];
  }[];
}

/** Kafka cool, ours warm; told apart by people who do not see red and green alike. */
const COLORS: Readonly<Record<Variant, string>> = {
  "kafka-stock": "#5b7fa6",
  "kafka-flush1": "#a9bfd6",
  "ours-fsync": "#d1622b",
  "ours-page-cache": "#f0b254",
};

/** One chart for each figure, with every row that has it. */
export function chartsOf(lines: readonly Line[]): ChartData[] {
  const charts: ChartData[] = [];
  for (const figure of Object.keys(FIGURES) as Figure[]) {
    const of = lines.filter((line) => line.figure === figure);
    if (of.length === 0) continue;
    const { title, unit, better } = FIGURES[figure];
    const variants = ALL_VARIANTS.filter((variant) =>
      of.some((line) => line.values.some((value) => value.variant === variant)),
    );
    charts.push({
      title: `${title} (${better} is better)`,
      unit,
      labels: of.map((line) => line.title),
      sets: variants.map((variant) => {
        const spreads = of.map(
          (line) => line.values.find((value) => value.variant === variant)?.spread ?? null,
        );
        return {
          label: VARIANTS[variant].title,
          color: COLORS[variant],
          data: spreads.map((spread) => spread?.median ?? null),
          ranges: spreads.map((spread) => spread && ([spread.min, spread.max] as const)),
        };
      }),
    });
  }
  return charts;
}
