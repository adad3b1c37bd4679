export { formOf, runBench } from "./bench.ts";
export { type CpuAccount, accountCpu, type CpuSnapshot } from "./cpu.ts";
export { type Figure, FIGURES, type Measurement } from "./figures.ts";
export { htmlReport } from "./report/html.ts";
export { terminalReport } from "./report/terminal.ts";
export type { Results } from "./results.ts";
export { median, type Ratio, ratio, type Spread, spread } from "./statistics.ts";
export { type Line, summarize } from "./summary.ts";
