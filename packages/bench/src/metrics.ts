/** What is told of the longest pauses of a broker's event loop. Upper bounds, in milliseconds. */
export interface Stalls {
  readonly tickMs?: number;
  readonly lateMs?: number;
  readonly gcStretchMs?: number;
}

const TIMEOUT_MS = 10_000;

/**
 * The upper bound of the highest bucket of a histogram that something fell into, in the unit of
 * the metric; null where nothing did. What fell behind the last bound counts as that bound.
 */
export function highestBucket(text: string, name: string): number | null {
  const line = new RegExp(`^${name}_bucket\\{(?:.*,)?le="([^"]+)"[^}]*\\} ([\\d.e+]+)`, "gm");
  let highest: number | null = null;
  let below = 0;
  for (const [, bound, count] of text.matchAll(line)) {
    if (Number(count) > below) {
      below = Number(count);
      highest = bound === "+Inf" ? highest : Number(bound);
    }
  }
  return highest;
}

export function stallsIn(text: string): Stalls {
  const figure = (key: keyof Stalls, metric: string): Stalls => {
    const seconds = highestBucket(text, metric);
    return seconds === null ? {} : { [key]: seconds * 1000 };
  };
  return {
    ...figure("tickMs", "mantou_tick_duration_seconds"),
    ...figure("lateMs", "mantou_event_loop_lateness_seconds"),
    ...figure("gcStretchMs", "mantou_gc_stretch_seconds"),
  };
}

/** The pauses of a broker since it was started; nothing of one that does not tell. */
export async function readStalls(url: string | undefined): Promise<Stalls> {
  if (url === undefined) return {};
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  return stallsIn(await answer.text());
}
