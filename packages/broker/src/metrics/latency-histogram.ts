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
const STEPS = 8;
const STEP_BITS = 3;
/** 134 seconds: what takes longer counts as that. */
const MICROS_MAX = 2 ** 27 - 1;
const BUCKETS = LINEAR + (27 - LINEAR_BITS) * STEPS;

const bucketOf = (micros: number): number => {
  if (micros < LINEAR) return micros;
  const power = 31 - Math.clz32(micros);
  return LINEAR + (power - LINEAR_BITS) * STEPS + ((micros >>> (power - STEP_BITS)) & (STEPS - 1));
};

/** Shown are two bounds for each power of two between these, which is what a scrape can afford. */
const SHOWN_FROM_BITS = 5;
const SHOWN_TO_BITS = 25;
/** All there are, where pauses of a loop begin to matter: from 4 to 66 milliseconds. */
const FINE_FROM_BITS = 12;
const FINE_TO_BITS = 16;

interface Shown {
  readonly seconds: readonly number[];
  /** The first bucket at or above each bound. */
  readonly buckets: readonly number[];
}

function shownBounds(stepsOf: (bits: number) => number): Shown {
  const micros: number[] = [];
  for (let bits = SHOWN_FROM_BITS; bits < SHOWN_TO_BITS; bits += 1) {
    const steps = stepsOf(bits);
    for (let step = 0; step < steps; step += 1) micros.push(2 ** bits * (1 + step / steps));
  }
  micros.push(2 ** SHOWN_TO_BITS);
  return { seconds: micros.map((bound) => bound / 1e6), buckets: micros.map(bucketOf) };
}

const COARSE = shownBounds(() => 2);
const FINE = shownBounds((bits) => (bits >= FINE_FROM_BITS && bits < FINE_TO_BITS ? STEPS : 2));

/**
 * Durations in log-linear buckets: an eighth of a value is the most that a bucket is wide.
 * To observe one is a few instructions and a store; nothing is allocated.
 */
export class LatencyHistogram {
  private readonly buckets = new Float64Array(BUCKETS);
  private readonly shown: Shown;
  private sumMs = 0;

  /** @param detail `fine` tells pauses of some milliseconds more exactly, with 24 bounds more. */
  constructor(detail: "coarse" | "fine" = "coarse") {
    this.shown = detail === "fine" ? FINE : COARSE;
  }

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
    for (const to of [...this.shown.buckets, BUCKETS]) {
      let count = 0;
      for (let bucket = from; bucket < to; bucket += 1) count += this.buckets[bucket] as number;
      counts.push(count);
      from = to;
    }
    return { bounds: this.shown.seconds, counts, sum: this.sumMs / 1000 };
  }
}
