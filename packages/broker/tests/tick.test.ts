import { describe, expect, test } from "bun:test";
import type { Io } from "@mantou/io";
import { EVENT_WORDS, Event, EventKind, type Table } from "@mantou/io";
import { EVENTS_PER_DRAIN, TURN_MS } from "../src/limits.ts";
import type { TickParts } from "../src/tick-parts.ts";
import { Tick } from "../src/tick.ts";

/** An engine that only hands over FRAME rows, and a clock that each of them moves. */
class Bench {
  nowMs = 1000;
  /** The sequences of the frames that were taken, in order. */
  readonly taken: number[] = [];
  readonly soon: (() => void)[] = [];
  /** Plans that were handed over. */
  plans = 0;
  private bell: () => void = () => {};
  private armed = true;
  private queued: number[] = [];
  private arrived = 0;
  private readonly tick: Tick;

  constructor(private readonly frameMs: number) {
    const nothing = (): void => {};
    const parts = {
      io: {
        onEvents: (bell: () => void) => (this.bell = bell),
        drain: (events: Table) => this.drain(events),
        soon: (call: () => void) => void this.soon.push(call),
      } as unknown as Io,
      ambient: {
        clock: { monotonicMs: () => this.nowMs },
        timers: { after: () => nothing },
        fatal: (reason: string, error: unknown) => {
          throw new Error(reason, { cause: error });
        },
      },
      connections: { get: () => ({ generation: 1, listenerId: 0 }) },
      dispatch: {
        take: ({ sequence }: { sequence: number }) => {
          this.nowMs += this.frameMs;
          this.taken.push(sequence);
        },
      },
      produce: { flush: nothing, waiting: 0 },
      coordinators: { flush: nothing, nextDeadlineMs: Infinity },
      partitions: { take: () => ({ epochs: [], lost: [] }) },
      plan: { flush: () => (this.plans += 1), release: nothing },
      metrics: null,
      nextFetchDeadlineMs: () => Infinity,
    };
    this.tick = new Tick(parts as unknown as TickParts);
    this.tick.start();
    this.tick.serve();
    this.plans = 0;
  }

  /** Frames come in; the bell rings as the ring of the engine rings it. */
  arrive(count: number): void {
    for (let index = 0; index < count; index += 1) this.queued.push(this.arrived++);
    if (!this.armed) return;
    this.armed = false;
    this.bell();
  }

  /** Runs what waits for the loop. Returns whether there was something. */
  turn(): boolean {
    const calls = this.soon.splice(0);
    for (const call of calls) call();
    return calls.length > 0;
  }

  stop(): void {
    this.tick.stop();
  }

  private drain(events: Table): number {
    const rows = this.queued.splice(0, events.capacity);
    for (const [row, sequence] of rows.entries()) {
      events.words.fill(0, row * EVENT_WORDS, (row + 1) * EVENT_WORDS);
      events.setWord(row, Event.kind, EventKind.FRAME);
      events.setWord(row, Event.generation, 1);
      events.setWord(row, Event.sequence, sequence);
    }
    if (rows.length < events.capacity) this.armed = true;
    return rows.length;
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("the loop", () => {
  test("takes everything at once where that is quick", () => {
    const bench = new Bench(0);
    bench.arrive(3 * EVENTS_PER_DRAIN);
    expect(bench.taken).toEqual(upTo(3 * EVENTS_PER_DRAIN));
    expect(bench.soon).toHaveLength(0);
    expect(bench.plans).toBe(1);
  });

  test("gives the thread away after a turn, with its answers, and goes on where it was", () => {
    const frameMs = TURN_MS / 100;
    const bench = new Bench(frameMs);
    const count = 2 * EVENTS_PER_DRAIN + 100;
    bench.arrive(count);
    let turns = 1;
    for (let before = 0; ; turns += 1) {
      const inTurn = bench.taken.length - before;
      before = bench.taken.length;
      // A look at the clock is due every few frames only.
      expect(inTurn * frameMs).toBeLessThanOrEqual(TURN_MS * 1.5);
      expect(bench.plans).toBe(turns);
      expect(bench.soon.length).toBeLessThanOrEqual(1);
      if (!bench.turn()) break;
    }
    expect(turns).toBeGreaterThan(10);
    expect(bench.taken).toEqual(upTo(count));
  });

  test("misses nothing that comes while it is away", () => {
    const bench = new Bench(TURN_MS / 100);
    bench.arrive(500);
    expect(bench.taken.length).toBeLessThan(500);
    // The ring was emptied, so its bell rings; the loop comes back by itself.
    bench.arrive(300);
    expect(bench.soon).toHaveLength(1);
    while (bench.turn()) {
      // Until nothing is left.
    }
    expect(bench.taken).toEqual(upTo(800));
    bench.arrive(1);
    expect(bench.taken).toHaveLength(801);
  });

  test("lets others have the thread between ticks that follow one another without a pause", () => {
    const bench = new Bench(TURN_MS / 4);
    let away = 0;
    for (let round = 0; round < 40; round += 1) {
      bench.arrive(1);
      away += bench.soon.length;
      bench.turn();
    }
    expect(bench.taken).toEqual(upTo(40));
    // Five of these ticks are longer than a turn.
    expect(away).toBeGreaterThanOrEqual(5);
    // With pauses in between nobody is kept from anything.
    for (let round = 0; round < 40; round += 1) {
      bench.nowMs += 2 * TURN_MS;
      bench.arrive(1);
      expect(bench.soon).toHaveLength(0);
    }
  });

  test("takes nothing more once it has stopped", () => {
    const bench = new Bench(TURN_MS / 100);
    bench.arrive(500);
    const taken = bench.taken.length;
    bench.stop();
    bench.turn();
    expect(bench.taken).toHaveLength(taken);
  });
});
