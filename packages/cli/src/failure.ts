/** Exit statuses that scripts may rely on. */
export const Exit = {
  OK: 0,
  /** The server said no, or only a part of it could be done. */
  FAILED: 1,
  /** The command line itself is wrong. */
  USAGE: 2,
  /** The command worked, and what it looked at is not well. */
  UNHEALTHY: 10,
} as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** Why a command could not do its work, in words for a person and a code for programs. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: string;
  /** The next thing to try. */
  readonly hint: string | null;
  readonly exitCode: ExitCode;

  /** @param code upper-case words, stable: `UNREACHABLE`, or Kafka's name of an error. */
  constructor(
    code: string,
    message: string,
    options: { readonly hint?: string | null; readonly exitCode?: ExitCode } = {},
  ) {
    super(message);
    this.code = code;
    this.hint = options.hint ?? null;
    this.exitCode = options.exitCode ?? Exit.FAILED;
  }
}

/** The command line is wrong: exit status 2. */
export const usage = (message: string, hint: string | null = null): Failure =>
  new Failure("USAGE", message, { hint, exitCode: Exit.USAGE });
