/**
 * Time from the start of `dist/mantou` on a cleanly stopped directory to its first produce that is
 * acknowledged with acks=all, and its idle memory.
 *
 *   bun scripts/measure-start.ts [--runs 15] [--mantou dist/mantou]
 *
 * On a machine that is busy otherwise, look at the CPU time: waiting for a core is shown beside it.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Connection } from "@mantou/client";
import { createTopicsApi, encodeBatch, produceApi } from "@mantou/protocol";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "15" },
    mantou: { type: "string", default: join(import.meta.dir, "..", "dist", "mantou") },
  },
});
/** The last version that names topics. */
const PRODUCE_VERSION = 9;
const IDLE_MS = 5000;
const records = encodeBatch([{ value: new Uint8Array(100), timestamp: Date.now() }]);
const folder = mkdtempSync(join(tmpdir(), "mantou-start-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** A port that was free a moment ago: it must be known before the broker says so. */
const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
const { port } = probe;
probe.stop(true);

async function connected(): Promise<Connection> {
  for (;;) {
    try {
      return await Connection.open({ host: "127.0.0.1", port });
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Milliseconds that all threads ran, the main thread ran, and it waited for a core. */
function cpuOf(pid: number): readonly [number, number, number] {
  const figures = (path: string): number[] =>
    readFileSync(path, "utf8")
      .split(" ")
      .map((nanos) => Number(nanos) / 1e6);
  const tasks = readdirSync(`/proc/${pid}/task`);
  const all = tasks.map((task) => figures(`/proc/${pid}/task/${task}/schedstat`)[0] ?? 0);
  const [ran = 0, waited = 0] = figures(`/proc/${pid}/task/${pid}/schedstat`);
  return [all.reduce((sum, ms) => sum + ms), ran, waited];
}

async function run(isFirst: boolean): Promise<{ ms: number; cpu: ReturnType<typeof cpuOf> }> {
  const flags = ["--listen", `127.0.0.1:${port}`, "--data-dir", folder];
  const startedMs = performance.now();
  const child = Bun.spawn([values.mantou, "start", ...flags, "--admin-listen", "127.0.0.1:0"], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const connection = await connected();
  if (isFirst) {
    const topic = { name: "t", numPartitions: 1, replicationFactor: 1 };
    await connection.request(createTopicsApi, {
      topics: [{ ...topic, assignments: [], configs: [] }],
      timeoutMs: 30_000,
      validateOnly: false,
    });
  }
  const { responses } = await connection.send(produceApi, PRODUCE_VERSION, {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records }] }],
  });
  const ms = performance.now() - startedMs;
  const cpu = cpuOf(child.pid);
  const errorCode = responses[0]?.partitionResponses[0]?.errorCode;
  if (errorCode !== 0) throw new Error(`the produce was refused: ${errorCode}`);
  connection.close();
  if (isFirst) {
    await Bun.sleep(IDLE_MS);
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    console.log(/^VmRSS:.*$/m.exec(status)?.[0].replace(/\s+/g, " "), "when idle");
  }
  child.kill("SIGTERM");
  await child.exited;
  return { ms, cpu };
}

await run(true);
const runs: Awaited<ReturnType<typeof run>>[] = [];
for (let count = 0; count < Number(values.runs); count += 1) runs.push(await run(false));
const show = (name: string, of: (one: (typeof runs)[number]) => number): void => {
  const sorted = runs.map(of).sort((a, b) => a - b);
  const [low, high] = [sorted[0] ?? 0, sorted.at(-1) ?? 0];
  const middle = sorted[sorted.length >> 1] ?? 0;
  console.log(`${name}: median ${middle.toFixed(0)} ms, ${low.toFixed(0)} to ${high.toFixed(0)}`);
};
show("start to first acknowledged produce", ({ ms }) => ms);
show("  CPU of all threads until then", ({ cpu }) => cpu[0]);
show("  CPU of the main thread", ({ cpu }) => cpu[1]);
show("  main thread waited for a core", ({ cpu }) => cpu[2]);
process.exit(0);
