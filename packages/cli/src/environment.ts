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

function sink(descriptor: 1 | 2): Sink {
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  const file = descriptor === 1 ? Bun.stdout : Bun.stderr;
  return {
    isTerminal: stream.isTTY === true,
    columns: stream.columns ?? 80,
    async write(chunk) {
      try {
        await Bun.write(file, chunk);
      } catch (error) {
        // `| head` has read enough; that is no failure of ours.
        if ((error as { code?: string }).code === "EPIPE") process.exit(0);
        throw error;
      }
    },
  };
}
