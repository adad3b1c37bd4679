import { FIGURES } from "../figures.ts";
import { machineText } from "../machine.ts";
import type { Results } from "../results.ts";
import { VARIANTS } from "../scenarios.ts";
import type { Comparison, Line, Verdict } from "../summary.ts";
import { ratioText, spreadText } from "./numbers.ts";

const BAR_CELLS = 28;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

const MARKS: Readonly<Record<Verdict, string>> = {
  reached: "✓",
  missed: "✗",
  ahead: "·",
  behind: "!",
};

/** A bar of `share` of the width, to an eighth of a cell. */
export function bar(share: number, cells: number = BAR_CELLS): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * cells * 8);
  const text = "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
  return (text === "" && share > 0 ? "▏" : text).padEnd(cells);
}

function lineText({ figure, values, comparisons, limit }: Line): string[] {
  const kind = FIGURES[figure];
  const most = Math.max(...values.map(({ spread }) => spread.median));
  const arrow = kind.better === "more" ? "more is better" : "less is better";
  const rows = values.map(({ variant, spread }) => {
    const name = VARIANTS[variant].title.padEnd(24);
    const share = most > 0 ? spread.median / most : 0;
    return `    ${name} ${bar(share)} ${spreadText(spread, kind)}`;
  });
  const limits =
    limit === undefined
      ? []
      : [
          `      ${MARKS[limit.verdict]} ${VARIANTS[limit.ours].title}: wanted at most ${limit.most}`,
        ];
  const head = `  ${kind.title}, ${kind.unit} (${arrow})`;
  return [head, ...rows, ...comparisons.map(comparisonText), ...limits];
}

function comparisonText({ ours, theirs, ratio, target, verdict }: Comparison): string {
  const names = `${VARIANTS[ours].title} / ${VARIANTS[theirs].title}`;
  const wanted = target === null ? "" : `  wanted ${target}`;
  return `      ${MARKS[verdict]} ${names}: ${ratioText(ratio)}${wanted}`;
}

/** The summary that the terminal shows. */
export function terminalReport(results: Results): string {
  const { machine, brokers, lines, losses, warnings, turns, form, secondsPerRun } = results;
  const out: string[] = [
    `mantou against Apache Kafka, ${form} form: turns ${turns.join(", ")}; ${secondsPerRun} s a run`,
    machineText(machine),
    brokers.mantou,
    brokers.kafka,
    "",
  ];
  let title = "";
  for (const line of lines) {
    if (line.title !== title) out.push((title = line.title));
    out.push(...lineText(line));
  }
  out.push("", "✓ aim reached  ✗ aim missed  · ahead of Kafka  ! behind Kafka");
  if (losses.length > 0) {
    out.push("", "Where we lose, or fall short:", ...losses.map((text) => `  - ${text}`));
  }
  if (warnings.length > 0) {
    out.push("", "Before you believe it:", ...warnings.map((text) => `  - ${text}`));
  }
  return `${out.join("\n")}\n`;
}
