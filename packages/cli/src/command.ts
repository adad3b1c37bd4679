import type { Client } from "@mantou/client";
import type { Failure } from "./failure.ts";
import type { Answer } from "./answer.ts";
import type { Environment } from "./environment.ts";
import type { Output } from "./output.ts";
import type { ClientSettings } from "./settings.ts";
import type { Values } from "./values.ts";

export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  /** Other names for the same flag, those of Kafka's scripts or of kcat. */
  readonly aliases?: readonly string[];
  /** How its value is written in help, such as `HOST:PORT`; a flag without one is a switch. */
  readonly value?: string;
  readonly about: string;
  /** It may be given several times. */
  readonly repeats?: boolean;
  readonly choices?: readonly string[];
}

export interface PositionalSpec {
  readonly name: string;
  readonly about: string;
  readonly optional?: boolean;
  /** It takes all that follow. */
  readonly repeats?: boolean;
  /** What completion offers here. */
  readonly completes?: "topic" | "group" | "file" | "profile" | "command" | readonly string[];
}

/** What a command is run with. */
export interface Invocation {
  /** The command's own words, such as "topic list". */
  readonly command: string;
  readonly values: Values;
  readonly output: Output;
  readonly environment: Environment;
  /** Everything behind the command's own words, as it was typed. */
  readonly rest: readonly string[];
  /** Flags over environment over profile. Throws Failure. */
  settings(): Promise<ClientSettings>;
  /** A connected client, closed when the command has ended. Throws Failure. */
  connect(): Promise<Client>;
}

/** Gives what is to be shown, or null where it has written everything itself. */
export type Run = (invocation: Invocation) => Promise<Answer | null>;

export interface CommandSpec {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line. */
  readonly about: string;
  readonly details?: string;
  readonly positionals?: readonly PositionalSpec[];
  readonly flags?: readonly FlagSpec[];
  readonly examples?: readonly string[];
  /** Formats of `-o`, where they are not the usual ones; the first is for pipes. */
  readonly formats?: readonly string[];
  /** Puts other habits (kcat's) into this command's form, before anything is checked. */
  readonly adapt?: (values: Values) => Values;
  /** It reads its own arguments; nothing is checked here. */
  readonly isRaw?: boolean;
  readonly isHidden?: boolean;
  readonly commands?: readonly CommandSpec[];
  /** Loaded only when the command is run: this is what keeps the start short. */
  readonly load?: () => Promise<{ readonly run: Run }>;
}

export type { Failure };
