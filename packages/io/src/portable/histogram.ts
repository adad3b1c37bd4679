import { HISTOGRAM_BUCKETS, type Log2Histogram } from "../ports.ts";

/** Counts values by powers of two, as the native engine does. */
export class Histogram implements Log2Histogram {
  readonly counts: number[] = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
  sum = 0;

  /** @param value a non-negative integer. */
  observe(value: number): void {
    const bucket = value < 2 ** 30 ? 32 - Math.clz32(value) : HISTOGRAM_BUCKETS - 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
  }
}
