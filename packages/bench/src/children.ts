/** Processes that were started here: a run that is cut short must not leave a broker behind. */
const running = new Set<Bun.Subprocess>();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

let isInterrupted = false;

export const wasInterrupted = (): boolean => isInterrupted;

/** Kills all children and lets no more be started: what waits for one fails, and cleans up. */
export function interrupt(): void {
  isInterrupted = true;
  for (const child of running) child.kill("SIGKILL");
}

/** Sees to it that a child does not outlive this process. */
export function guard<T extends Bun.Subprocess>(child: T): T {
  if (isInterrupted) {
    child.kill("SIGKILL");
    throw new Error("interrupted");
  }
  running.add(child);
  void child.exited.finally(() => running.delete(child));
  return child;
}

/** How a program ended that ran to its end. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** user + system CPU of the process, in seconds. */
  readonly cpuSeconds: number;
}

interface RunOptions {
  /** It is killed when the time is over (code null). */
  readonly timeoutMs: number;
  readonly cwd?: string;
}

/** Runs a program to its end. */
export const run = (
  command: readonly string[],
  options: RunOptions = { timeoutMs: 60_000 },
): Promise<Ran> => start(command, options).ended;

/** Starts a program; `stop` sends it SIGTERM. */
export function start(
  command: readonly string[],
  options: RunOptions,
): { readonly ended: Promise<Ran>; readonly stop: () => void } {
  const child = guard(
    Bun.spawn([...command], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }),
  );
  const end = async (): Promise<Ran> => {
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    const micros = child.resourceUsage()?.cpuTime.total ?? 0;
    return { code: child.exitCode, stdout, stderr, cpuSeconds: Number(micros) / 1e6 };
  };
  return { ended: end(), stop: () => child.kill("SIGTERM") };
}
