import { type FigureKind, FIGURES } from "../figures.ts";
import { machineText } from "../machine.ts";
import type { Results } from "../results.ts";
import { ALL_VARIANTS, type Variant } from "../scenarios.ts";
import type { Ratio } from "../statistics.ts";
import type { Comparison, Line } from "../summary.ts";
import { number } from "./numbers.ts";

const HEADS = [
  ...["row", "figure", "Kafka stock", "Kafka flush=1", "ours fsync", "ours page cache"],
  ...["fsync / stock", "fsync / flush=1", "page cache / stock"],
];
const PAIRS: readonly (readonly [Variant, Variant])[] = [
  ["ours-fsync", "kafka-stock"],
  ["ours-fsync", "kafka-flush1"],
  ["ours-page-cache", "kafka-stock"],
];

/** The summary that documentation shows: medians, ratios with their ranges, bold what was missed. */
export function markdownReport(results: Results): string {
  const { machine, brokers, lines, losses, warnings, form, secondsPerRun, tookSeconds } = results;
  const rows: string[][] = [];
  let before = "";
  for (const line of lines) {
    // What other people's processes took stands in the JSON and the page.
    if (line.figure === "alonePerGb") continue;
    rows.push(cellsOf(line, line.title === before ? "" : line.title));
    before = line.title;
  }
  const about =
    `The ${form} form, ${secondsPerRun} s a run, ` +
    `${Math.round(tookSeconds / 60)} minutes. ${machineText(machine)}. ` +
    `${brokers.mantou}; ${brokers.kafka}. Medians; ratios are ours by theirs, with the range of ` +
    "neighbouring runs. Bold: an aim that was missed.";
  const list = (title: string, texts: readonly string[]): string[] =>
    texts.length === 0 ? [] : ["", `${title}:`, "", ...texts.map((text) => `- ${text}`)];
  const out = [
    about,
    "",
    rowText(HEADS),
    rowText(HEADS.map(() => "---")),
    ...rows.map(rowText),
    ...list("Behind Kafka, or short of an aim", losses),
    ...list("Before you believe it", warnings),
  ];
  return `${out.join("\n")}\n`;
}

function rowText(cells: readonly string[]): string {
  const padded = cells.map((cell) => (cell === "" ? " " : ` ${cell.replaceAll("|", "\\|")} `));
  return `|${padded.join("|")}|`;
}

const bold = (text: string, isBold: boolean): string => (isBold ? `**${text}**` : text);

function cellsOf(line: Line, title: string): string[] {
  const kind: FigureKind = FIGURES[line.figure];
  const values = ALL_VARIANTS.map((variant) => {
    const found = line.values.find((value) => value.variant === variant);
    if (found === undefined) return "";
    const isMissed = line.limit?.ours === variant && line.limit.verdict === "missed";
    return bold(number(found.spread.median, kind), isMissed);
  });
  const ratios = PAIRS.map(([ours, theirs]) => {
    const found = line.comparisons.find((one) => one.ours === ours && one.theirs === theirs);
    return found === undefined ? "" : comparisonText(found);
  });
  return [title, `${kind.title}, ${kind.unit}`, ...values, ...ratios];
}

const comparisonText = ({ ratio, verdict }: Comparison): string => {
  const text = shortRatio(ratio);
  const [middle, range] = text;
  return bold(middle, verdict === "missed") + range;
};

/** Two digits, or none from ten on. */
function shortRatio({ ratio, min, max, pairs }: Ratio): readonly [string, string] {
  const digits = (value: number): string => value.toFixed(value >= 10 ? 0 : 2);
  return [digits(ratio), pairs < 2 ? "" : ` (${digits(min)}–${digits(max)})`];
}
