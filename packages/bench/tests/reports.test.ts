import { describe, expect, test } from "bun:test";
import type { Measurement } from "../src/figures.ts";
import { chartLibrary } from "../src/report/chart-library.ts";
import { escapeHtml, htmlReport } from "../src/report/html.ts";
import { bar, terminalReport } from "../src/report/terminal.ts";
import type { Results } from "../src/results.ts";
import { losses, summarize } from "../src/summary.ts";

const ROW = "produce-16p-64k";
const measurements: Measurement[] = [
  { row: ROW, variant: "kafka-stock", turn: 0, figures: { mbPerSecond: 400, cpuPerGb: 3 } },
  { row: ROW, variant: "ours-fsync", turn: 1, figures: { mbPerSecond: 440, cpuPerGb: 1.2 } },
  { row: ROW, variant: "ours-fsync", turn: 2, figures: { mbPerSecond: 460, cpuPerGb: 1.4 } },
  { row: ROW, variant: "kafka-stock", turn: 3, figures: { mbPerSecond: 420, cpuPerGb: 3.2 } },
];
const lines = summarize(measurements, [{ id: ROW, title: "produce </script><b>" }]);
const results: Results = {
  format: 1,
  form: "quick",
  secondsPerRun: 2,
  turns: ["kafka", "mantou", "mantou", "kafka"],
  machine: {
    processor: "A <fast> one",
    processors: 2,
    memoryGb: 24,
    system: "Linux 6.18",
    isVirtual: true,
    fileSystem: "ext4 rw",
    loadAverage: 0.2,
  },
  brokers: { mantou: "mantou 1", kafka: "Apache Kafka 4.3.0" },
  tookSeconds: 100,
  failures: [],
  warnings: ["a & b"],
  losses: losses(lines),
  lines,
  measurements,
};

describe("bars", () => {
  test("are as wide as asked, to an eighth of a cell", () => {
    expect(bar(1, 4)).toBe("████");
    expect(bar(0.5, 4)).toBe("██  ");
    expect(bar(0.5 + 1 / 32, 4)).toBe("██▏ ");
    expect(bar(0, 4)).toBe("    ");
  });

  test("what is there is seen, and what is too much is cut", () => {
    expect(bar(0.0001, 4)).toBe("▏   ");
    expect(bar(7, 4)).toBe("████");
  });
});

test("the terminal shows medians with ranges, ratios, aims and losses", () => {
  const text = terminalReport(results);
  expect(text).toContain("mantou, fsync            ████████████████████████████ 450 (440–460)");
  expect(text).toContain("✓ mantou, fsync / Kafka, stock: 1.10× (1.10–1.10)  wanted 1");
  expect(text).toContain("✓ mantou, fsync / Kafka, stock: 0.42× (0.40–0.44)  wanted 0.45");
  expect(text).toContain("2 virtual processors (A <fast> one), 24 GB of memory, Linux 6.18");
  expect(text).toContain("a & b");
});

describe("the page", () => {
  test("escapes what it is given", () => {
    expect(escapeHtml(`<a href="x">&`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;");
    const page = htmlReport(results, "");
    expect(page).toContain("A &lt;fast&gt; one");
    expect(page).toContain("a &amp; b");
    expect(page).not.toContain("produce </script><b>");
  });

  test("needs nothing from anywhere", async () => {
    const page = htmlReport(results, await chartLibrary());
    expect(page).not.toMatch(/<(script|link|img)[^>]* (src|href)=/);
    expect(page).not.toContain("@import");
    // The library's own text must not end its element early.
    expect(page.match(/<script>/g)).toHaveLength(2);
    expect(page.match(/<\/script>/g)).toHaveLength(2);
  });

  test("its script draws one chart for each figure", () => {
    const page = htmlReport(results, "");
    const script = page.slice(page.lastIndexOf("<script>") + 8, page.lastIndexOf("</script>"));
    const drawn: { canvas: string; labels: string[]; data: number[][] }[] = [];
    class Chart {
      static readonly defaults = { color: "", font: { family: "" } };
      constructor(
        canvas: string,
        config: { data: { labels: string[]; datasets: { data: number[] }[] } },
      ) {
        const { labels, datasets } = config.data;
        drawn.push({ canvas, labels, data: datasets.map((set) => set.data) });
      }
    }
    const document = { documentElement: null, getElementById: (id: string) => id };
    const style = () => ({ getPropertyValue: () => " black" });
    // oxlint-disable-next-line typescript/no-implied-eval -- the page's script, as a browser would
    new Function("Chart", "document", "getComputedStyle", script)(Chart, document, style);
    expect(drawn.map(({ canvas, labels }) => [canvas, labels])).toEqual([
      ["chart-0", ["produce </script><b>"]],
      ["chart-1", ["produce </script><b>"]],
    ]);
    expect(drawn[0]?.data).toEqual([[410], [450]]);
    expect(drawn[1]?.data[0]?.[0]).toBeCloseTo(3.1);
    for (const { canvas } of drawn) expect(page).toContain(`id="${canvas}"`);
  });

  test("the library is one that makes Chart", async () => {
    const library = await chartLibrary();
    const made: { Chart?: unknown } = {};
    // oxlint-disable-next-line typescript/no-implied-eval -- as a script element would run it
    new Function("globalThis", "self", "window", "module", "exports", "define", library)(
      made,
      made,
      made,
    );
    expect(typeof made.Chart).toBe("function");
  });
});
