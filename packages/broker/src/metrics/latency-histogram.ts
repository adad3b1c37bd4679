/** Counts by bucket, ready to be shown: `counts` has one more than `bounds`, for what is above. */
export interface HistogramView {
  /** Upper bounds, ascending, in the metric's unit. */
  readonly bounds: readonly number[];
  /** Not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Below it each microsecond has a bucket of its own. */
const LINEAR = 8;
const LINEAR_BITS = 3;
/** Buckets for each power of two above. */
const STEPS = 4;
/** 134 seconds: what takes longer counts as that. */
const MICROS_MAX = 2 ** 27 - 1;
const BUCKETS = LINEAR + (27 - LINEAR_BITS) * STEPS;

const bucketOf = (micros: number): number => {
  if (micros < LINEAR) return micros;
  const power = 31 - Math.clz32(micros);
  return LINEAR + (power - LINEAR_BITS) * STEPS + ((micros >>> (power - 2)) & (STEPS - 1));
};

/** Shown are two bounds for each power of two between these, which is what a scrape can afford. */
const SHOWN_FROM_BITS = 5;
const SHOWN_TO_BITS = 25;
const SHOWN_MICROS: readonly number[] = Array.from(
  { length: (SHOWN_TO_BITS - SHOWN_FROM_BITS) * 2 + 1 },
  (_, index) => 2 ** (SHOWN_FROM_BITS + (index >> 1)) * (index % 2 === 0 ? 1 : 1.5),
);
const SHOWN_SECONDS = SHOWN_MICROS.map((micros) => micros / 1e6);
/** The first bucket at or above each shown bound. */
const SHOWN_BUCKETS = SHOWN_MICROS.map(bucketOf);

/**
 * Durations in log-linear buckets: an eighth of a value is the most that a bucket can be off.
 * To observe one is a few instructions and a store; nothing is allocated.
 */
export class LatencyHistogram {
  private readonly buckets = new Float64Array(BUCKETS);
  private sumMs = 0;

  observeMs(durationMs: number): void {
    const micros = durationMs * 1000;
    const bucket = bucketOf(micros > 0 ? Math.min(micros, MICROS_MAX) >>> 0 : 0);
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
    this.sumMs += durationMs;
  }

  get count(): number {
    return this.buckets.reduce((sum, count) => sum + count, 0);
  }

  /** In seconds. */
  view(): HistogramView {
    const counts: number[] = [];
    let from = 0;
    for (const to of [...SHOWN_BUCKETS, BUCKETS]) {
      let count = 0;
      for (let bucket = from; bucket < to; bucket += 1) count += this.buckets[bucket] as number;
      counts.push(count);
      from = to;
    }
    return { bounds: SHOWN_SECONDS, counts, sum: this.sumMs / 1000 };
  }
}
