import { FIGURES } from "../figures.ts";
import { machineText } from "../machine.ts";
import type { Results } from "../results.ts";
import { VARIANTS } from "../scenarios.ts";
import type { Comparison, Line } from "../summary.ts";
import { chartsOf } from "./charts.ts";
import { CHART_SCRIPT, STYLE } from "./page.ts";
import { number, ratioText, spreadText } from "./numbers.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);

/** Text that stands in a script element must not end it. */
const inScript = (text: string): string => text.replace(/<\/(script)/gi, "<\\/$1");

/**
 * One page that needs nothing else: styles, charts and figures are in it.
 * @param chartLibrary Chart.js as a script that makes `Chart` global.
 */
export function htmlReport(results: Results, chartLibrary: string): string {
  const { machine, brokers, lines, losses, warnings, form, turns, secondsPerRun } = results;
  const charts = chartsOf(lines);
  const data = JSON.stringify(charts).replace(/</g, "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mantou against Apache Kafka</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>mantou against Apache Kafka</h1>
<p>${escapeHtml(brokers.mantou)}<br>${escapeHtml(brokers.kafka)}</p>
<p>${escapeHtml(machineText(machine))}</p>
<p>The ${form} form: ${turns.length} turns
(${turns.join(", ")}), ${secondsPerRun} s a run. Medians, with smallest and largest in parentheses.
A ratio is ours by theirs; its range is that of runs that were neighbours in time. Machine CPU is
what was busy, less the load generator, over the run and the writeback behind it.</p>
${list("Before you believe it", warnings)}
<h2>Ratios</h2>
${comparisonTable(lines)}
${list("Where we lose, or fall short", losses)}
<h2>Charts</h2>
${charts.map((chart, index) => figureHtml(chart.title, chart.labels.length, index)).join("\n")}
<h2>All figures</h2>
${valueTable(lines)}
</main>
<script>${inScript(chartLibrary)}</script>
<script>const charts = ${data};${CHART_SCRIPT}</script>
</body>
</html>
`;
}

function figureHtml(title: string, labels: number, index: number): string {
  const height = 90 + labels * 84;
  return (
    `<figure><figcaption>${escapeHtml(title)}</figcaption>` +
    `<div style="height:${height}px"><canvas id="chart-${index}"></canvas></div></figure>`
  );
}

function list(title: string, texts: readonly string[]): string {
  if (texts.length === 0) return "";
  const items = texts.map((text) => `<li>${escapeHtml(text)}</li>`).join("\n");
  return `<h2>${escapeHtml(title)}</h2>\n<ul>\n${items}\n</ul>`;
}

function comparisonTable(lines: readonly Line[]): string {
  const rows = lines.flatMap((line) => line.comparisons.map((one) => comparisonRow(line, one)));
  const heads = ["row", "figure", "ours", "theirs", "ratio", "wanted", ""];
  return table(heads, rows);
}

function comparisonRow(line: Line, { ours, theirs, ratio, target, verdict }: Comparison): string {
  const kind = FIGURES[line.figure];
  const sign = kind.better === "more" ? "≥" : "≤";
  const cells = [
    line.title,
    kind.title,
    VARIANTS[ours].title,
    VARIANTS[theirs].title,
    ratioText(ratio),
    target === null ? "" : `${sign} ${target}`,
  ];
  const plain = cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("");
  return `<tr>${plain}<td class="${verdict}">${verdict}</td></tr>`;
}

function valueTable(lines: readonly Line[]): string {
  const rows = lines.flatMap((line) =>
    line.values.map(({ variant, spread }) => {
      const kind = FIGURES[line.figure];
      const cells = [
        line.title,
        `${kind.title}, ${kind.unit}`,
        VARIANTS[variant].title,
        spreadText(spread, kind),
        number(spread.count, { ...kind, digits: 0 }).replace(/\.0$/, ""),
      ];
      return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`;
    }),
  );
  return table(["row", "figure", "variant", "median (range)", "runs"], rows);
}

function table(heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map((text) => `<th>${escapeHtml(text)}</th>`).join("");
  return `<div class="wide"><table><thead><tr>${head}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>`;
}
