import { writeSync } from "node:fs";

/** What the process gives a command, so that tests can give something else. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly stdin: { readonly isTerminal: boolean; stream(): ReadableStream<Uint8Array> };
  readonly stdout: Sink;
  readonly stderr: Sink;
}

/** Where text and bytes go. `write` resolves when there is room for more. */
export interface Sink {
  readonly isTerminal: boolean;
  /** Width in columns, where it is a terminal. */
  readonly columns: number;
  write(chunk: string | Uint8Array): Promise<void> | void;
}

/** The real process. */
export function processEnvironment(): Environment {
  return {
    variables: process.env,
    workingDirectory: process.cwd(),
    stdin: {
      isTerminal: process.stdin.isTTY === true,
      stream: () => Bun.stdin.stream(),
    },
    stdout: sink(1),
    stderr: sink(2),
  };
}

/** `| head` has read enough, which is no failure of ours: thrown by writing to standard output. */
export const isClosedPipe = (error: unknown): boolean =>
  (error as { code?: unknown } | null)?.code === "EPIPE";

function sink(descriptor: 1 | 2): Sink {
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  return {
    isTerminal: stream.isTTY === true,
    columns: stream.columns ?? 80,
    async write(chunk) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      try {
        await writeAll(descriptor, bytes);
      } catch (error) {
        // Where nobody reads what is said on the side, the work goes on.
        if (descriptor === 2 && isClosedPipe(error)) return;
        throw error;
      }
    },
  };
}

/** Writes all of it, at the end of what others have written, also where a pipe does not block. */
async function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
