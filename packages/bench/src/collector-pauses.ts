import type { Stop } from "./standstill.ts";

/** What Bun's runtime writes to standard error of each collection with this in its environment. */
export const BUN_LOG_COLLECTIONS = { BUN_JSC_logGC: "1" };

const BUN_PAUSE = /p=([\d.]+)ms \(max /g;
/** The flag with which a Java virtual machine writes what `javaPauses` reads. */
export const javaLogFlag = (file: string): string => `-Xlog:gc:file=${file}:utctime`;
const JAVA_PAUSE = /^\[([^\]]+)\] GC\(\d+\) Pause .* ([\d.]+)ms$/gm;
/** How late a line may be read, in milliseconds. */
const READ_LATE_MS = 25;

/** A pause of a garbage collector, by the clock. */
export interface Pause {
  /** Unix time in milliseconds. */
  readonly endedAtMs: number;
  readonly ms: number;
}

/** The pauses of which a piece of Bun's log tells that was just written. */
export function bunPauses(text: string, endedAtMs: number): Pause[] {
  return [...text.matchAll(BUN_PAUSE)].map(([, ms]) => ({ endedAtMs, ms: Number(ms) }));
}

/** The pauses in a Java virtual machine's log. */
export function javaPauses(log: string): Pause[] {
  return [...log.matchAll(JAVA_PAUSE)].map(([, at, ms]) => ({
    endedAtMs: Date.parse(at as string),
    ms: Number(ms),
  }));
}

/**
 * The longest of pauses in milliseconds (null: none), and how many were left out: a pause in which
 * all processors stood still tells how long that took, with the queue for them behind it. The same
 * holds for times in which the machine is prepared for the next run.
 */
export function judgePauses(
  pauses: readonly Pause[],
  stops: readonly Stop[],
): { readonly longestMs: number | null; readonly leftOut: number } {
  const isSpoilt = ({ endedAtMs, ms }: Pause): boolean => {
    const beganAtMs = endedAtMs - ms - READ_LATE_MS;
    return stops.some((stop) => stop.endedAtMs > beganAtMs && stop.beganAtMs < endedAtMs);
  };
  let longestMs: number | null = null;
  let leftOut = 0;
  for (const pause of pauses) {
    if (isSpoilt(pause)) leftOut += 1;
    else longestMs = Math.max(longestMs ?? 0, pause.ms);
  }
  return { longestMs, leftOut };
}

/** A log without the lines that tell of collections. */
export const withoutCollections = (log: string): string =>
  log.replace(/^(?:\[GC<|GC |Requesting GC).*\n/gm, "");
