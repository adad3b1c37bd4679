import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
const main = join(root, "packages", "cli", "src", "main.ts");

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** What is run in place of the sources: a binary. */
  readonly command?: readonly string[];
  /** After which it is killed, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Runs the command line in a process of its own, against `address`. */
export async function runCli(
  address: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const { input = "", timeoutMs = 30_000 } = options;
  const child = Bun.spawn([...(options.command ?? [process.execPath, main]), ...args], {
    cwd: options.folder ?? root,
    env: { ...environmentFor(address), ...options.environment },
    stdin: typeof input === "string" ? new TextEncoder().encode(input) : input,
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { status: child.exitCode, stdout, stderr };
}

const environmentFor = (address: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "",
  MANTOU_BOOTSTRAP: address,
  MANTOU_PROFILES: "/nonexistent/profiles.yaml",
});

/** Starts the command line and shows what it has printed so far. */
export function startCli(address: string, args: readonly string[]) {
  const child = Bun.spawn([process.execPath, main, ...args], {
    cwd: root,
    env: environmentFor(address),
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  let stdout = "";
  const read = async (): Promise<boolean> => {
    const { value, done } = await reader.read();
    stdout += decoder.decode(value, { stream: !done });
    return !done;
  };
  return {
    get stdout(): string {
      return stdout;
    },
    /** Resolves when `text` was printed; throws where it ends before. */
    async waitFor(text: string): Promise<void> {
      while (!stdout.includes(text)) {
        if (!(await read())) throw new Error(`it ended after ${JSON.stringify(stdout)}`);
      }
    },
    kill(): void {
      child.kill("SIGKILL");
    },
    /** Its exit status, when everything was read. */
    get exited(): Promise<number> {
      return (async () => {
        while (await read());
        return await child.exited;
      })();
    },
  };
}

/** Lines of ndjson. */
export const ndjson = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
