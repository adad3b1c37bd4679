/**
 * Frames through a whole broker, in process and in virtual time:
 *
 *   bun tests/fuzz/frames.ts --frames 10000000 [--seed N]
 *
 * Runs episodes of `FRAMES_PER_EPISODE` frames, each with a seed of its own, and stops at the first
 * one with a fault. One episode is repeated by `--seed N --frames 20000`.
 */
import { parseArgs } from "node:util";
import { errorName } from "@mantou/protocol";
import type { EpisodeResult } from "./episode.ts";
import { runEpisode } from "./episode.ts";

export const FRAMES_PER_EPISODE = 20_000;
/** Far above what a run takes, far below what one believed length would ask for. */
const RSS_MAX = 1024 * 1024 * 1024;

export interface FuzzSummary {
  frames: number;
  answered: number;
  skipped: number;
  dropped: number;
  closedByBroker: number;
  acknowledged: number;
  episodes: number;
  rssPeak: number;
  /** Resident size after the first and after the last episode, collected. */
  rssFirst: number;
  rssLast: number;
  readonly errors: Map<string, number>;
  /** The first episode with a fault. */
  failed: EpisodeResult | null;
}

/** Runs episodes until `frames` frames were sent or one has a fault. */
export function fuzzFrames(
  frames: number,
  seed: number,
  onEpisode: (summary: FuzzSummary) => void = () => {},
): FuzzSummary {
  const summary: FuzzSummary = {
    frames: 0,
    answered: 0,
    skipped: 0,
    dropped: 0,
    closedByBroker: 0,
    acknowledged: 0,
    episodes: 0,
    rssPeak: 0,
    rssFirst: 0,
    rssLast: 0,
    errors: new Map(),
    failed: null,
  };
  while (summary.frames < frames && summary.failed === null) {
    const left = Math.min(FRAMES_PER_EPISODE, frames - summary.frames);
    add(summary, runEpisode(seed + summary.episodes, left));
    onEpisode(summary);
  }
  return summary;
}

function add(summary: FuzzSummary, result: EpisodeResult): void {
  summary.frames += result.frames;
  summary.answered += result.answered;
  summary.skipped += result.skipped;
  summary.dropped += result.dropped;
  summary.closedByBroker += result.closedByBroker;
  summary.acknowledged += result.acknowledged;
  summary.episodes += 1;
  for (const [code, count] of result.errorCounts) {
    const name = errorName(code);
    summary.errors.set(name, (summary.errors.get(name) ?? 0) + count);
  }
  Bun.gc(true);
  summary.rssPeak = Math.max(summary.rssPeak, result.rssPeak);
  summary.rssLast = process.memoryUsage.rss();
  if (summary.episodes === 1) summary.rssFirst = summary.rssLast;
  if (result.faults.length > 0) summary.failed = result;
  else if (summary.rssPeak > RSS_MAX) {
    const fault = `resident size reached ${summary.rssPeak} bytes`;
    summary.failed = { ...result, faults: [fault] };
  }
}

export function describeSummary(summary: FuzzSummary): string {
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
  return (
    `${summary.frames} frames in ${summary.episodes} episodes: ${summary.answered} answered, ` +
    `${summary.skipped} without answer, ${summary.dropped} dropped with their connection, ` +
    `${summary.closedByBroker} connections closed, ${summary.acknowledged} batches acknowledged; ` +
    `rss first ${mib(summary.rssFirst)}, last ${mib(summary.rssLast)}, peak ${mib(summary.rssPeak)}`
  );
}

function main(): void {
  const { values } = parseArgs({
    options: { frames: { type: "string" }, seed: { type: "string" } },
  });
  const frames = Number(values.frames ?? 1_000_000);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const startedMs = performance.now();
  let saidMs = startedMs;
  console.log(`seed ${seed}`);
  const summary = fuzzFrames(frames, seed, (soFar) => {
    if (performance.now() - saidMs < 10_000) return;
    saidMs = performance.now();
    console.log(`${Math.round((saidMs - startedMs) / 1000)} s: ${describeSummary(soFar)}`);
  });
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  console.log(`${seconds} s: ${describeSummary(summary)}`);
  const errors = [...summary.errors].sort((a, b) => b[1] - a[1]);
  console.log(errors.map(([name, count]) => `${name} ${count}`).join(", "));
  if (summary.failed === null) {
    console.log("no faults");
    return;
  }
  console.log(`FAULT in the episode with seed ${summary.failed.seed}:`);
  for (const fault of summary.failed.faults) console.log(fault);
  console.log(`after ${summary.failed.frames} frames; the last ones were:`);
  for (const frame of summary.failed.lastRound) console.log(Buffer.from(frame).toString("hex"));
  process.exitCode = 1;
}

if (import.meta.main) main();
