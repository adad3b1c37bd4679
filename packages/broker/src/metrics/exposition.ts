import type { MetricDefinition, Sample } from "./catalog/define.ts";
import { metricCatalog } from "./catalog.ts";
import type { Figures } from "./figures.ts";
import type { HistogramView } from "./latency-histogram.ts";

/** The Prometheus text format, which everything that scrapes understands. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * All metrics as text. Our own lines rather than prom-client: its histograms hash an object of
 * labels for each observation, ours are typed arrays that are looked at only here.
 */
export function exposeMetrics(figures: Figures): string {
  const lines: string[] = [];
  for (const definition of metricCatalog) exposeOne(definition, figures, lines);
  return `${lines.join("\n")}\n`;
}

function exposeOne(definition: MetricDefinition, figures: Figures, lines: string[]): void {
  const samples = definition.samples(figures);
  if (samples.length === 0) return;
  const { name, type, help } = definition;
  lines.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`);
  lines.push(`# TYPE ${name} ${type}`);
  for (const sample of samples) {
    const labels = labelText(definition.labels, sample);
    if (typeof sample.value === "number") {
      lines.push(`${name}${braced(labels)} ${sample.value}`);
    } else exposeHistogram(name, labels, sample.value, lines);
  }
}

function exposeHistogram(
  name: string,
  labels: string,
  { bounds, counts, sum }: HistogramView,
  lines: string[],
): void {
  const before = labels === "" ? "" : `${labels},`;
  let total = 0;
  for (const [index, count] of counts.entries()) {
    total += count;
    lines.push(`${name}_bucket{${before}le="${bounds[index] ?? "+Inf"}"} ${total}`);
  }
  lines.push(`${name}_sum${braced(labels)} ${sum}`);
  lines.push(`${name}_count${braced(labels)} ${total}`);
}

const labelText = (names: readonly string[], { labels }: Sample): string =>
  names.map((name, index) => `${name}="${escape(labels[index] ?? "")}"`).join(",");

const braced = (labels: string): string => (labels === "" ? "" : `{${labels}}`);

/** A topic's name, or a client's word, must not end a label. */
const escape = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
