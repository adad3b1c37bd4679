import { guard } from "./children.ts";

/** A time in which a processor ran nothing at all, in Unix milliseconds. */
export interface Stop {
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/** Times that overlap in both lists, which are in order. */
export function common(a: readonly Stop[], b: readonly Stop[]): Stop[] {
  const both: Stop[] = [];
  let [left, right] = [0, 0];
  while (left < a.length && right < b.length) {
    const [one, other] = [a[left] as Stop, b[right] as Stop];
    const beganAtMs = Math.max(one.beganAtMs, other.beganAtMs);
    const endedAtMs = Math.min(one.endedAtMs, other.endedAtMs);
    if (beganAtMs < endedAtMs) both.push({ beganAtMs, endedAtMs });
    if (one.endedAtMs < other.endedAtMs) left += 1;
    else right += 1;
  }
  return both;
}

export const lengthMs = ({ beganAtMs, endedAtMs }: Stop): number => endedAtMs - beganAtMs;

/**
 * Watches, with the load generator's `standstill`, when the machine's processors stood still: a
 * host may take them away, and then whatever a broker does takes longer.
 */
export class StandstillWatch {
  private readonly byProcessor = new Map<number, Stop[]>();
  private rest = "";
  private child: Bun.Subprocess | null = null;

  constructor(private readonly processors: number) {}

  /** Whether it could watch is told by what `note` gets: it takes real-time scheduling. */
  start(loadgen: string, note: (line: string) => void): void {
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    const child = guard(Bun.spawn([loadgen, "standstill"], { stdio }));
    this.child = child;
    const follow = async (): Promise<void> => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) this.take(decoder.decode(chunk, { stream: true }));
      const why = (await new Response(child.stderr).text()).trim();
      if (why !== "") note(`times in which processors stand still are not told: ${why}`);
    };
    void follow();
  }

  /** Of the process that watches; null before the start. */
  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  stop(): void {
    this.child?.kill();
  }

  /** Takes what the watcher has printed: a processor, when a stop was over and its length. */
  take(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() as string;
    for (const line of lines) {
      const [processor, endedAtMs, ms] = line.split(" ").map(Number) as [number, number, number];
      const stops = this.byProcessor.get(processor) ?? [];
      stops.push({ beganAtMs: endedAtMs - ms, endedAtMs });
      this.byProcessor.set(processor, stops);
    }
  }

  /** When all processors stood still at once, since `sinceMs`. */
  stopsSince(sinceMs: number): Stop[] {
    if (this.byProcessor.size < this.processors) return [];
    const [first = [], ...others] = [...this.byProcessor.values()].map((stops) =>
      stops.filter(({ endedAtMs }) => endedAtMs >= sinceMs),
    );
    return others.reduce<readonly Stop[]>(common, first).slice();
  }
}
