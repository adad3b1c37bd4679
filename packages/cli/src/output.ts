import type { Answer, Table } from "./answer.ts";
import type { Environment } from "./environment.ts";
import type { Failure } from "./failure.ts";
import { renderTable, type TableStyle } from "./table.ts";

/** The version of the envelope; it changes only when a field changes its meaning. */
export const ENVELOPE_VERSION = 1;

export const FORMATS = ["table", "wide", "json", "ndjson", "yaml"] as const;

/** Formats in which everything on standard output is for programs. */
const MACHINE = new Set(["json", "ndjson", "yaml"]);

export interface OutputOptions {
  readonly command: string;
  readonly format: string;
  readonly color?: string | null;
  readonly isQuiet?: boolean;
}

/** Data goes to standard output, notes to standard error. */
export class Output {
  readonly format: string;
  readonly command: string;
  /** Whether a person looks at standard output. */
  readonly isTerminal: boolean;
  readonly hasColor: boolean;
  private readonly warnings: string[] = [];
  private readonly isQuiet: boolean;
  private progressLength = 0;

  constructor(
    private readonly environment: Environment,
    options: OutputOptions,
  ) {
    this.format = options.format;
    this.command = options.command;
    this.isQuiet = options.isQuiet ?? false;
    this.isTerminal = environment.stdout.isTerminal;
    const wanted = options.color ?? "auto";
    const noColor = (environment.variables["NO_COLOR"] ?? "") !== "";
    this.hasColor = wanted === "always" || (wanted === "auto" && this.isTerminal && !noColor);
  }

  get isMachine(): boolean {
    return MACHINE.has(this.format);
  }

  write(chunk: string | Uint8Array): Promise<void> | void {
    return this.environment.stdout.write(chunk);
  }

  /** A line for a person, on standard error. */
  async note(line: string): Promise<void> {
    if (this.isQuiet) return;
    await this.clearProgress();
    await this.environment.stderr.write(`${line}\n`);
  }

  /** Something that a person should know: on standard error, or in the envelope. */
  async warn(line: string): Promise<void> {
    this.warnings.push(line);
    if (!this.isMachine) await this.note(`warning: ${line}`);
  }

  /** Whether `progress` shows anything. */
  get showsProgress(): boolean {
    return !this.isQuiet && this.environment.stderr.isTerminal;
  }

  /** Replaces the line of progress on a terminal; nothing elsewhere. */
  async progress(line: string): Promise<void> {
    if (!this.showsProgress) return;
    const width = Math.max(20, this.environment.stderr.columns - 1);
    const text = line.slice(0, width);
    await this.environment.stderr.write(`\r${text.padEnd(this.progressLength)}`);
    this.progressLength = text.length;
  }

  async clearProgress(): Promise<void> {
    if (this.progressLength === 0) return;
    await this.environment.stderr.write(`\r${" ".repeat(this.progressLength)}\r`);
    this.progressLength = 0;
  }

  /** Prints what a command has to say, in the format that was asked for. */
  async answer(answer: Answer): Promise<void> {
    await this.clearProgress();
    for (const line of answer.warnings ?? []) await this.warn(line);
    const ok = (answer.exitCode ?? 0) === 0;
    if (this.format === "ndjson") await this.write(linesOf(answer));
    else if (this.isMachine)
      await this.write(this.encode(this.envelope(ok, { data: answer.data })));
    else {
      await this.write(this.view(answer));
      for (const part of answer.view) {
        // That there is nothing is no data.
        const isEmpty = typeof part !== "string" && part.rows.length === 0;
        if (isEmpty && part.empty !== undefined) await this.note(part.empty);
      }
    }
  }

  /** Prints why a command did not work. */
  async failure(failure: Failure): Promise<void> {
    await this.clearProgress();
    const { code, message, hint } = failure;
    if (this.isMachine) {
      const error = { code, message, hint };
      await this.write(this.encode(this.envelope(false, { error })));
      return;
    }
    const lines = hint === null ? "" : `\n  ${hint.replaceAll("\n", "\n  ")}`;
    const paint = this.environment.stderr.isTerminal && this.hasColor;
    const name = paint ? "\u001b[31mmantou:\u001b[0m" : "mantou:";
    await this.environment.stderr.write(`${name} ${message}${lines}\n`);
  }

  private envelope(ok: boolean, content: object): object {
    const { command, warnings } = this;
    return { v: ENVELOPE_VERSION, command, ok, ...content, warnings };
  }

  private encode(value: object): string {
    if (this.format === "yaml") return `${Bun.YAML.stringify(value, null, 2)}\n`;
    return `${JSON.stringify(value)}\n`;
  }

  private view(answer: Answer): string {
    const style: TableStyle = {
      isWide: this.format === "wide",
      isTerminal: this.isTerminal,
      hasColor: this.hasColor,
      nowMs: Date.now(),
    };
    const parts = answer.view.map((part) =>
      typeof part === "string" ? `${part}\n` : renderTable(part satisfies Table, style),
    );
    return parts.join("");
  }
}

function linesOf({ data, lines }: Answer): string {
  const rows = lines ?? (Array.isArray(data) ? (data as unknown[]) : [data]);
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
