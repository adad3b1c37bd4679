import type { Logger } from "@mantou/broker";

type Level = "info" | "warn" | "error";

/** Writes one line; the default is the process's standard error. */
export type LineSink = (line: string) => void;

const toStandardError: LineSink = (line) => {
  process.stderr.write(line);
};

/**
 * One line per event: time, level, event, then `name=value` pairs. Values from outside are JSON
 * strings, so that a client id or a topic name cannot forge a line.
 */
export function lineLogger(write: LineSink = toStandardError): Logger {
  const line = (
    level: Level,
    event: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): void => {
    let text = `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${event}`;
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) text += ` ${name}=${format(value)}`;
    }
    write(`${text}\n`);
  };
  return {
    info: (event, fields) => line("info", event, fields),
    warn: (event, fields) => line("warn", event, fields),
    error: (event, fields) => line("error", event, fields),
  };
}

const PLAIN = /^[A-Za-z0-9._:/+-]+$/;

function format(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || value === null) {
    return String(value);
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return PLAIN.test(text) ? text : JSON.stringify(text);
}
