import { join } from "node:path";

/** One record as the drivers take and give it: bytes as base64, or null. */
export interface DriverRecord {
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
  readonly timestamp: number;
}

export type ReadRecord = Omit<DriverRecord, "partition"> & { readonly offset: number };

export interface DriverCommand {
  readonly op:
    | "produce"
    | "consume"
    | "offsets"
    | "create"
    | "describe"
    | "alter"
    | "addPartitions"
    | "deleteRecords"
    | "delete";
  readonly bootstrap: string;
  readonly topic: string;
  readonly [setting: string]: unknown;
}

export interface DriverAnswer {
  readonly ok: boolean;
  /** The client's own name for what went wrong. */
  readonly error?: string;
  /** Null where the client does not tell the offset. */
  readonly offsets?: readonly (number | null)[];
  readonly timestamps?: readonly number[];
  readonly records?: readonly ReadRecord[];
  readonly [figure: string]: unknown;
}

const COMMAND_TIMEOUT_MS = 60_000;
const STDERR_CHARS_KEPT = 4000;

/** A program in a client's own language: one JSON command a line in, one JSON answer a line out. */
export class DriverProcess {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  private readonly answers: AsyncGenerator<string>;
  private errors = "";

  constructor(
    private readonly command: readonly string[],
    options: { readonly cwd: string; readonly environment?: Readonly<Record<string, string>> },
  ) {
    this.child = Bun.spawn([...command], {
      cwd: options.cwd,
      env: { ...process.env, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.answers = lines(this.child.stdout);
    void this.keepErrors();
  }

  /** Gives the command and waits for its answer. Throws when the program ends or is too slow. */
  async run(command: DriverCommand): Promise<DriverAnswer> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), COMMAND_TIMEOUT_MS);
    try {
      this.child.stdin.write(`${JSON.stringify(command)}\n`);
      await this.child.stdin.flush();
      const { value, done } = await this.answers.next();
      if (done === true) throw await this.ended(command);
      return JSON.parse(value) as DriverAnswer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the program; it may be gone already. */
  async close(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  private async ended(command: DriverCommand): Promise<Error> {
    const code = await this.child.exited;
    const words = `${this.command[0]} ended (${code ?? "killed"}) in "${command.op}"`;
    return new Error(`${words}:\n${this.errors}`);
  }

  private async keepErrors(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stderr) {
      this.errors = (this.errors + decoder.decode(chunk, { stream: true })).slice(
        -STDERR_CHARS_KEPT,
      );
    }
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const parts: string[] = [];
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      parts.push(text.slice(from, end));
      yield parts.join("");
      parts.length = 0;
      from = end + 1;
    }
    parts.push(text.slice(from));
  }
}

export const driversFolder = join(import.meta.dir, "drivers");
