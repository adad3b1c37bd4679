import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
const main = join(root, "packages", "server", "src", "main.ts");

/** A full volume stops everything on the machine: no test starts below this. */
export const FREE_BYTES_FLOOR = 4 * 1024 ** 3;

/** Throws when the volume of `path` is too full for a test that writes. */
export function requireFreeSpace(path: string = tmpdir(), bytes: number = FREE_BYTES_FLOOR): void {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (free < bytes) throw new Error(`only ${free} bytes free at ${path}, a test needs ${bytes}`);
}

/** A temporary folder that is gone with the scope: `using folder = temporaryFolder()`. */
export function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  requireFreeSpace();
  const path = mkdtempSync(join(tmpdir(), "mantou-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface BrokerProcessOptions {
  readonly dataDirectory: string;
  /** 0: any free port. */
  readonly port?: number;
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Takes the usual address of the admin listener, which brokers of one machine share; else none. */
  readonly hasUsualAdmin?: boolean;
  /** How long it may take until it listens; generous, only a hang reaches it. */
  readonly timeoutMs?: number;
}

export interface ExitedProcess {
  readonly exitCode: number | null;
  readonly log: string;
}

/** Brokers that run now: a test run that ends in the middle of a test leaves none behind. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A real broker in a process of its own. `await using` kills it with the scope. */
export class BrokerProcess {
  private lines = "";
  private readonly waiting: { readonly pattern: RegExp; readonly found: () => void }[] = [];
  readonly exited: Promise<number>;
  private readonly reading: Promise<void>;
  port = 0;

  private constructor(private readonly child: Bun.Subprocess<"ignore", "ignore", "pipe">) {
    running.add(child);
    this.exited = child.exited.finally(() => running.delete(child));
    this.reading = this.pump();
  }

  get pid(): number {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Everything it has logged so far. */
  get log(): string {
    return this.lines;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts and waits until it listens; throws with its log when it exits before. */
  static async start(options: BrokerProcessOptions): Promise<BrokerProcess> {
    const broker = BrokerProcess.launch(options);
    const listening = /listening listener=\S+ address=\S+?:(\d+)/;
    try {
      await broker.waitForLog(listening, options.timeoutMs ?? 60_000);
      await broker.waitForLog(/ started /, options.timeoutMs ?? 60_000);
    } catch (error) {
      await broker.kill();
      throw error;
    }
    broker.port = Number(listening.exec(broker.lines)?.[1]);
    return broker;
  }

  /** Starts and waits until it has exited by itself. */
  static async runToExit(options: BrokerProcessOptions): Promise<ExitedProcess> {
    const broker = BrokerProcess.launch(options);
    const exitCode = await broker.exited;
    await broker.reading;
    return { exitCode, log: broker.log };
  }

  /** Starts and waits for nothing. */
  static launch(options: BrokerProcessOptions): BrokerProcess {
    const address = `127.0.0.1:${options.port ?? 0}`;
    const { flags = [] } = options;
    const hasOwnAdmin = flags.includes("--admin-listen") || options.hasUsualAdmin === true;
    const admin = hasOwnAdmin ? [] : ["--admin-listen", "none"];
    const words = ["--listen", address, "--data-dir", options.dataDirectory, ...admin, ...flags];
    const child = Bun.spawn([process.execPath, main, "start", ...words], {
      env: { ...process.env, ...options.environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    return new BrokerProcess(child);
  }

  /** Waits until a line of its log matches; rejects when it exits or the time is over. */
  waitForLog(pattern: RegExp, timeoutMs: number): Promise<void> {
    if (pattern.test(this.lines)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no ${pattern} within ${timeoutMs} ms; its log:\n${this.lines}`));
      }, timeoutMs);
      this.waiting.push({
        pattern,
        found: () => {
          clearTimeout(timer);
          resolve();
        },
      });
      void Promise.all([this.exited, this.reading]).then(([code]) => {
        clearTimeout(timer);
        reject(new Error(`exited with ${code} before ${pattern}; its log:\n${this.lines}`));
      });
    });
  }

  /** SIGTERM, then waits; gives the exit status. */
  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    return await this.exited;
  }

  /** kill -9, then waits until the process is gone. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  private async pump(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stderr) {
      this.lines += decoder.decode(chunk, { stream: true });
      for (let index = this.waiting.length - 1; index >= 0; index -= 1) {
        const wait = this.waiting[index];
        if (wait === undefined || !wait.pattern.test(this.lines)) continue;
        this.waiting.splice(index, 1);
        wait.found();
      }
    }
  }
}
