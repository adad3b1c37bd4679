/** What of the report is the same for all results. */

export const STYLE = `
:root { color-scheme: light dark; --ink: #1d1d1f; --paper: #fdfcfa; --rule: #d9d4cc;
  --good: #2c7a4b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece8e1; --paper: #1b1a18; --rule: #47433d; --good: #7fcf9d; --bad: #ff8f85; }
}
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem; }
h1, h2 { line-height: 1.2; }
figure { margin: 0 0 2rem; }
figcaption { font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.25rem 0.75rem 0.25rem 0;
  border-bottom: 1px solid var(--rule); }
.reached, .ahead { color: var(--good); }
.missed, .behind { color: var(--bad); font-weight: 600; }
`;

/** Draws `charts` with Chart.js; a whisker on each bar shows its smallest and largest value. */
export const CHART_SCRIPT = `
const style = getComputedStyle(document.documentElement);
const ink = style.getPropertyValue("--ink").trim();
const rule = style.getPropertyValue("--rule").trim();
Chart.defaults.color = ink;
Chart.defaults.font.family = "system-ui, sans-serif";
const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const { ctx, data, scales } = chart;
    ctx.save();
    ctx.strokeStyle = ink;
    ctx.lineWidth = 1.25;
    data.datasets.forEach((set, index) => {
      const meta = chart.getDatasetMeta(index);
      if (meta.hidden) return;
      meta.data.forEach((bar, at) => {
        const range = set.ranges[at];
        if (!range || range[0] === range[1]) return;
        const from = scales.x.getPixelForValue(range[0]);
        const to = scales.x.getPixelForValue(range[1]);
        ctx.beginPath();
        ctx.moveTo(from, bar.y);
        ctx.lineTo(to, bar.y);
        for (const x of [from, to]) {
          ctx.moveTo(x, bar.y - 3);
          ctx.lineTo(x, bar.y + 3);
        }
        ctx.stroke();
      });
    });
    ctx.restore();
  },
};
charts.forEach((chart, index) => {
  new Chart(document.getElementById("chart-" + index), {
    type: "bar",
    data: {
      labels: chart.labels,
      datasets: chart.sets.map((set) => ({
        label: set.label,
        data: set.data,
        ranges: set.ranges,
        backgroundColor: set.color,
        skipNull: true,
      })),
    },
    options: {
      indexAxis: "y",
      animation: false,
      maintainAspectRatio: false,
      grouped: true,
      scales: {
        x: { beginAtZero: true, title: { display: true, text: chart.unit }, grid: { color: rule } },
        y: { grid: { display: false } },
      },
      plugins: { legend: { position: "top", align: "start" } },
    },
    plugins: [whiskers],
  });
});
`;
