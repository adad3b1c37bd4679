import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metricCatalog } from "@mantou/broker";
import { parser } from "@prometheus-io/lezer-promql";

const deploy = join(import.meta.dir, "..", "..", "deploy");
const rulesPath = join(deploy, "prometheus", "mantou-alerts.yml");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const rules = (
  Bun.YAML.parse(readFileSync(rulesPath, "utf8")) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);

/** Every `expr` anywhere in the dashboard, with what it is for. */
function dashboardExpressions(): [string, string][] {
  const found: [string, string][] = [];
  const walk = (value: unknown, title: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, title);
    if (typeof value !== "object" || value === null) return;
    const object = value as Record<string, unknown>;
    const name = typeof object["title"] === "string" ? object["title"] : title;
    if (typeof object["expr"] === "string") found.push([name, object["expr"]]);
    for (const inner of Object.values(object)) walk(inner, name);
  };
  walk(JSON.parse(readFileSync(join(deploy, "grafana", "mantou.json"), "utf8")), "mantou");
  return found;
}

/** What Prometheus itself adds. */
const ADDED_LABELS = ["instance", "job"];
const OWN_METRICS = new Map([["up", ADDED_LABELS]]);

/** Names that can be asked for, with their labels: a histogram has three. */
const askable = new Map<string, readonly string[]>(OWN_METRICS);
for (const { name, type, labels } of metricCatalog) {
  const all = [...labels, ...ADDED_LABELS];
  if (type !== "histogram") askable.set(name, all);
  else {
    askable.set(`${name}_bucket`, [...all, "le"]);
    askable.set(`${name}_sum`, all);
    askable.set(`${name}_count`, all);
  }
}

interface Asked {
  readonly metrics: string[];
  readonly labels: string[];
}

/** Parses an expression with Prometheus' own grammar; throws where it is not one. */
function asked(expression: string): Asked {
  // Grafana puts a duration in its place.
  const text = expression.replaceAll("$__rate_interval", "5m");
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text}`);
      const word = text.slice(from, to);
      if (type.name === "Identifier") metrics.push(word);
      if (type.name === "LabelName") labels.push(word);
    },
  });
  return { metrics, labels };
}

function check(what: string, expression: string): void {
  const { metrics, labels } = asked(expression);
  expect([what, metrics.length > 0]).toEqual([what, true]);
  const known = new Set<string>();
  for (const metric of metrics) {
    expect([what, metric, askable.has(metric)]).toEqual([what, metric, true]);
    for (const label of askable.get(metric) ?? []) known.add(label);
  }
  for (const label of labels) expect([what, label, known.has(label)]).toEqual([what, label, true]);
}

describe("what is shown and what alerts", () => {
  test("the dashboard asks for metrics and labels that exist, in PromQL", () => {
    const expressions = dashboardExpressions();
    expect(expressions.length).toBeGreaterThan(30);
    for (const [title, expression] of expressions) check(title, expression);
  });

  test("rules ask for metrics that exist, and docs/operating.md says what to do", () => {
    const guide = readFileSync(join(deploy, "..", "docs", "operating.md"), "utf8");
    for (const { alert, expr, annotations } of rules) {
      check(alert, expr);
      expect(annotations["summary"]).toBeString();
      expect([alert, guide.includes(alert)]).toEqual([alert, true]);
    }
  });

  test("the reference names every metric that there is, and no other", () => {
    const page = readFileSync(join(deploy, "..", "docs", "reference", "metrics.md"), "utf8");
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => [
      name,
      type,
    ]);
    expect(rows).toEqual(metricCatalog.map(({ name, type }) => [name, type]));
  });

  test("a mistake would be noticed", () => {
    expect(() => asked("rate(mantou_ready[5m]")).toThrow("not PromQL");
    expect(asked('sum by (le) (rate(no_such_bucket{api="Fetch"}[5m]))')).toEqual({
      metrics: ["no_such_bucket"],
      labels: ["le", "api"],
    });
  });

  const promtool = Bun.which("promtool");
  const skipped = promtool === null ? " (skipped: no promtool)" : "";
  test.skipIf(promtool === null)(`promtool has nothing to say about the rules${skipped}`, () => {
    const { exitCode, stderr } = Bun.spawnSync([promtool ?? "", "check", "rules", rulesPath]);
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  });
});
