import type { AnyApi } from "@mantou/protocol";
import type { Call } from "../handler.ts";
import type { ErrorWalk } from "./error-walk.ts";
import { compileErrorWalk } from "./error-walk.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

/** Keys of APIs are below it; what is not served is counted elsewhere. */
const API_KEYS = 128;

/** What is counted of one API. */
export interface ApiFigures {
  readonly api: AnyApi;
  /** Answers, errors among them. */
  readonly durations: LatencyHistogram;
  /** Error codes in answers; one answer may have many. */
  readonly errors: ReadonlyMap<number, number>;
}

interface Entry extends ApiFigures {
  readonly errors: Map<number, number>;
  readonly walk: ErrorWalk;
  readonly count: (errorCode: number) => void;
}

/**
 * Requests as the loop sees them. The clock is read where a tick begins and where it ends, never
 * for a request: an answer's duration is from the begin of the tick that took its request to the
 * end of the tick that hands it to the network.
 */
export class RequestMetrics {
  /** Requests by API key. */
  readonly taken = new Float64Array(API_KEYS);
  readonly ticks = new LatencyHistogram("fine");
  /** When the tick that runs began, in monotonic milliseconds. */
  nowMs = 0;
  private readonly entries: (Entry | undefined)[] = [];
  private inTick = false;
  private longestMs = 0;
  /** Answers of this tick: their APIs, and when their requests came. */
  private answeredKeys: number[] = [];
  private answeredSinceMs: number[] = [];
  private answered = 0;

  /** A tick begins. */
  began(nowMs: number): void {
    this.nowMs = nowMs;
    this.inTick = true;
  }

  /** A request was decoded. */
  took(apiKey: number): void {
    this.taken[apiKey] = (this.taken[apiKey] as number) + 1;
  }

  /** A response was encoded; it goes out when the tick ends. */
  answer(call: Call, api: AnyApi, response: unknown): void {
    const entry = this.entryOf(api);
    entry.walk(response, entry.count);
    const { arrivedMs = -1 } = call;
    if (arrivedMs < 0) return;
    const at = this.answered++;
    this.answeredKeys[at] = api.key;
    this.answeredSinceMs[at] = arrivedMs;
  }

  /** A tick, or what a promise has answered outside of one, is over. */
  ended(nowMs: number): void {
    if (this.inTick) {
      this.inTick = false;
      const lastedMs = nowMs - this.nowMs;
      this.ticks.observeMs(lastedMs);
      if (lastedMs > this.longestMs) this.longestMs = lastedMs;
    }
    for (let at = 0; at < this.answered; at += 1) {
      const entry = this.entries[this.answeredKeys[at] as number] as Entry;
      entry.durations.observeMs(nowMs - (this.answeredSinceMs[at] as number));
    }
    this.answered = 0;
  }

  /** The longest tick since the last call, in milliseconds. */
  takeLongestTickMs(): number {
    const longestMs = this.longestMs;
    this.longestMs = 0;
    return longestMs;
  }

  /** APIs that were answered at least once, by key. */
  apis(): ApiFigures[] {
    return this.entries.filter((entry) => entry !== undefined);
  }

  private entryOf(api: AnyApi): Entry {
    const known = this.entries[api.key];
    if (known !== undefined) return known;
    const errors = new Map<number, number>();
    const entry: Entry = {
      api,
      durations: new LatencyHistogram(),
      errors,
      walk: compileErrorWalk(api),
      count: (errorCode) => errors.set(errorCode, (errors.get(errorCode) ?? 0) + 1),
    };
    this.entries[api.key] = entry;
    return entry;
  }
}
