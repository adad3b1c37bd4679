import { usage } from "./failure.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A length of time in milliseconds: `500ms`, `30s`, `1h30m`, `7d`; null where it is none. */
export function parseDuration(text: string): number | null {
  const compact = text.trim().replaceAll(" ", "");
  if (!/^(\d+(\.\d+)?(ms|s|min|m|h|d|w))+$/.test(compact)) return null;
  let total = 0;
  for (const [, count = "0", unit = "s"] of compact.matchAll(
    /(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)/g,
  )) {
    total += Number(count) * (UNITS[unit] ?? 0);
  }
  return Math.round(total);
}

/** As {@link parseDuration}. Throws Failure. */
export function durationOf(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === null)
    throw usage(`${flag} ${JSON.stringify(text)} is no duration`, "such as 30s, 5m or 1h30m");
  return ms;
}

/**
 * A point in time in milliseconds since the epoch: `1h` or `-1h` (that long ago), `now`, `today`,
 * RFC 3339, a date, or milliseconds since the epoch; an `@` may come before any of them.
 * Throws Failure.
 */
export function momentOf(flag: string, given: string, nowMs: number): number {
  const text = given.trim().replace(/^@/, "");
  if (text === "now") return nowMs;
  if (text === "today") return new Date(nowMs).setHours(0, 0, 0, 0);
  const ago = parseDuration(text.replace(/^-/, ""));
  if (ago !== null) return nowMs - ago;
  if (/^\d{10}$/.test(text)) return Number(text) * 1000;
  if (/^\d{11,15}$/.test(text)) return Number(text);
  if (/^\d{4}-\d{2}-\d{2}([T ]|$)/.test(text)) {
    const parsed = Date.parse(text.replace(" ", "T"));
    if (!Number.isNaN(parsed)) return parsed;
  }
  throw usage(
    `${flag} ${JSON.stringify(given)} is no point in time`,
    "such as 1h (ago), 2026-11-01T08:00:00Z, or milliseconds since the epoch",
  );
}
