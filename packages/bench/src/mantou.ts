import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BrokerKind, DELETE_DELAY_MS, freePorts, HOST, runningBroker } from "./brokers.ts";
import { guard, run } from "./children.ts";
import { BUN_LOG_COLLECTIONS, bunPauses, type Pause } from "./collector-pauses.ts";
import { ROOT, SERVER_MAIN } from "./paths.ts";

const BUILD_TIMEOUT_MS = 1_200_000;

export interface MantouOptions {
  /** A built executable; the sources of this checkout, run by this Bun, when null. */
  readonly executable: string | null;
  /** Builds the native addon first where its sources have changed. */
  readonly build: boolean;
}

/** Ours, with its settings as they come. */
export async function mantouKind(options: MantouOptions): Promise<BrokerKind> {
  const { executable } = options;
  if (executable !== null && !existsSync(executable)) throw new Error(`no file ${executable}`);
  if (executable === null && options.build) await buildAddon();
  const command = executable === null ? [process.execPath, SERVER_MAIN] : [executable];
  const commit = await run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]);
  const how = executable === null ? `from source on Bun ${Bun.version}` : "one executable";
  return {
    system: "mantou",
    description: `mantou ${commit.stdout.trim() || "?"} (native engine, ${how})`,
    prepare: async () => {},
    launch: async (dataDirectory) => {
      const [port, adminPort] = (await freePorts(2)) as [number, number];
      const log = join(dataDirectory, "..", "mantou.log");
      const flags = ["start", "--listen", `${HOST}:${port}`, "--data-dir", dataDirectory];
      flags.push("--admin-listen", `${HOST}:${adminPort}`);
      flags.push("--set", `log.segment.delete.delay.ms=${DELETE_DELAY_MS}`);
      const spawnedAtMs = performance.now();
      const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
      const env = { ...process.env, ...BUN_LOG_COLLECTIONS };
      const child = guard(Bun.spawn([...command, ...flags], { stdio, env }));
      const pauses: Pause[] = [];
      void keepLog(child.stderr, log, pauses);
      const told = () => Promise.resolve(pauses);
      const broker = runningBroker("mantou", port, child, [log], spawnedAtMs, told);
      return { ...broker, metricsUrl: `http://${HOST}:${adminPort}/metrics` };
    },
  };
}

/** Writes a log to its file as it comes, and notes the pauses that it tells of. */
async function keepLog(
  log: ReadableStream<Uint8Array>,
  file: string,
  pauses: Pause[],
): Promise<void> {
  const writer = Bun.file(file).writer();
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of log) {
    const atMs = performance.timeOrigin + performance.now();
    writer.write(chunk);
    await writer.flush();
    const text = rest + decoder.decode(chunk, { stream: true });
    const lineEnd = text.lastIndexOf("\n") + 1;
    pauses.push(...bunPauses(text.slice(0, lineEnd), atMs));
    rest = text.slice(lineEnd);
  }
  await writer.end();
}

async function buildAddon(): Promise<void> {
  const script = join(ROOT, "scripts", "build-native.ts");
  const { code, stderr } = await run([process.execPath, script], {
    timeoutMs: BUILD_TIMEOUT_MS,
    cwd: ROOT,
  });
  if (code !== 0) throw new Error(`the native addon could not be built:\n${stderr}`);
}
