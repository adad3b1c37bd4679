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
 * The longest of pauses in milliseconds, each without what all processors stood still in it: nobody
 * can collect then. Null where there was none.
 */
export function longestPauseMs(pauses: readonly Pause[], stops: readonly Stop[]): number | null {
  let longest: number | null = null;
  for (const { endedAtMs, ms } of pauses) {
    const beganAtMs = endedAtMs - ms - READ_LATE_MS;
    let stood = 0;
    for (const stop of stops) {
      const from = Math.max(stop.beganAtMs, beganAtMs);
      stood += Math.max(0, Math.min(stop.endedAtMs, endedAtMs) - from);
    }
    longest = Math.max(longest ?? 0, ms - stood);
  }
  return longest;
}

/** A log without the lines that tell of collections. */
export const withoutCollections = (log: string): string =>
  log.replace(/^(?:\[GC<|GC |Requesting GC).*\n/gm, "");
