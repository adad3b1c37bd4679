import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Chart.js as one script, to be put into the report: nothing is fetched when it is read. */
export function chartLibrary(): Promise<string> {
  const folder = dirname(fileURLToPath(import.meta.resolve("chart.js")));
  return Bun.file(join(folder, "chart.umd.min.js")).text();
}
