const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** 1536 as "1.5 KiB". */
export function humaneBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return "-";
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** 4182907 as "4,182,907". */
export const humaneCount = (count: number): string =>
  Number.isInteger(count)
    ? String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",")
    : count.toFixed(Math.abs(count) >= 100 ? 0 : 1);

/** 90000 ms as "1m 30s", 12.3 ms as "12.3ms". */
export function humaneDuration(ms: number): string {
  if (ms < 0) return `-${humaneDuration(-ms)}`;
  if (ms < 1000) return `${ms >= 100 || Number.isInteger(ms) ? Math.round(ms) : ms.toFixed(1)}ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))}s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [Math.floor(seconds) % 60, "s"],
  ];
  const from = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(from, from + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count}${unit}`).join(" ");
}

/** A time before or after now, such as "5m ago" or "in 2h". */
export function relativeTime(timeMs: number, nowMs: number): string {
  if (timeMs < 0) return "-";
  const ms = nowMs - timeMs;
  if (Math.abs(ms) < 1000) return "now";
  const text = humaneDuration(Math.floor(Math.abs(ms) / 1000) * 1000).split(" ")[0] ?? "";
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

/** RFC 3339 in UTC, or null where there is no time (-1) or none that a Date can hold. */
export function isoTime(timeMs: number): string | null {
  if (timeMs < 0) return null;
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** "1 topic", "2 topics". */
export const plural = (count: number, word: string, words = `${word}s`): string =>
  `${humaneCount(count)} ${count === 1 ? word : words}`;
