import { describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { AppendFlag, type LogState } from "../../src/index.ts";
import { type World, engines } from "./engines.ts";
import { LogDriver, at, batchOf, id, ms, spec } from "./log-driver.ts";

/** A log under test, one engine each, and what both must agree on. */
interface Side {
  readonly world: World;
  driver: LogDriver;
}

interface Step {
  readonly name: string;
  run(side: Side): Promise<unknown>;
}

const unavailable = engines.find((engine) => engine.unavailable !== null)?.unavailable;
const skipped = unavailable === undefined ? "" : ` (skipped: ${unavailable})`;
const CONFIG = { segmentBytes: 4_000, segmentMs: 50_000, indexIntervalBytes: 256 };

/** An engine may remember the largest timestamp of what has been deleted since. */
const withoutTimestamp = (state: LogState): LogState => ({ ...state, largestTimestamp: 0 });

/** Draws steps from a seed. Keeps a model of batch boundaries, to ask sensible questions. */
class Sequence {
  private boundaries: number[] = [0];
  private start = 0;
  private clock = 1_000;
  private opened = 1;

  constructor(private readonly prng: Prng) {}

  private get end(): number {
    return this.boundaries.at(-1) as number;
  }

  private get log(): number {
    return this.opened;
  }

  next(): Step {
    const choice = this.prng.below(100);
    if (choice < 40) return this.append();
    if (choice < 60) return this.locate();
    if (choice < 64) return this.truncate();
    if (choice < 68) return this.trim();
    if (choice < 72) return this.retain();
    if (choice < 75) return this.change("roll", (driver, log) => driver.io.logs.roll(id(log)));
    if (choice < 82) return this.findTimestamp();
    if (choice < 86) return this.findMaxTimestamp();
    if (choice < 90) return this.readHeaders();
    if (choice < 94) return this.read();
    if (choice < 97) return this.segments();
    return this.restart();
  }

  private append(): Step {
    const { log } = this;
    const stamped = this.prng.chance(1, 8);
    const batches: Uint8Array[] = [];
    for (let count = this.prng.between(1, 6); count > 0; count--) {
      this.clock += this.prng.between(-2_000, 6_000);
      const records = this.prng.between(1, 5);
      batches.push(batchOf(records, Math.max(0, this.clock), this.prng.between(0, 300)));
      this.boundaries.push(this.end + records);
    }
    const flags = AppendFlag.NOTIFY_WRITTEN | (stamped ? AppendFlag.LOG_APPEND_TIME : 0);
    const nowMs = Math.max(0, this.clock);
    return {
      name: `append ${batches.length} batches up to ${this.end}`,
      run: async ({ driver }) => {
        const end = driver.append(log, batches, { flags, nowMs });
        await driver.durable(log, end);
        return [driver.told("WRITTEN", log), driver.told("DURABLE", log)];
      },
    };
  }

  private locate(): Step {
    const { log } = this;
    const from = this.prng.between(Math.max(0, this.start - 3), this.end + 2);
    const limit = this.prng.chance(1, 2) ? this.end : this.prng.between(this.start, this.end);
    const bytesMax = this.prng.pick([1, 100, 1_000, 100_000]);
    const flags = this.prng.below(2);
    return {
      name: `locate ${from} to ${limit}, ${bytesMax} bytes, flags ${flags}`,
      run: ({ driver }) => driver.range(log, from, limit, bytesMax, flags),
    };
  }

  private truncate(): Step {
    const kept = this.boundaries.filter((boundary) => boundary >= this.start);
    const end = this.prng.pick(kept.slice(-4));
    this.boundaries = this.boundaries.filter((boundary) => boundary <= end);
    return this.change(`truncate to ${end}`, async (driver, log) => {
      const state = await driver.io.logs.truncate(id(log), at(end));
      driver.setEnd(log, end);
      return state;
    });
  }

  private trim(): Step {
    const start = this.prng.between(this.start, this.end);
    this.start = start;
    return this.change(`trim to ${start}`, (driver, log) =>
      driver.io.logs.trim(id(log), at(start)),
    );
  }

  private retain(): Step {
    const ageMs = this.prng.chance(1, 2) ? -1 : this.prng.between(0, 200_000);
    const bytes = this.prng.chance(1, 2) ? -1 : this.prng.between(0, 20_000);
    const limit = this.prng.chance(1, 2) ? this.end : this.prng.between(this.start, this.end);
    const now = this.clock + this.prng.between(0, 100_000);
    return this.change(
      `retain ${ageMs} ms, ${bytes} bytes, below ${limit}, at ${now}`,
      (driver, log) => driver.io.logs.retain(id(log), ageMs, bytes, at(limit), ms(now)),
    );
  }

  private findTimestamp(): Step {
    const { log } = this;
    const timestamp = Math.max(0, this.clock + this.prng.between(-60_000, 10_000));
    const limit = this.prng.between(this.start, this.end);
    return {
      name: `find timestamp ${timestamp} below ${limit}`,
      run: ({ driver }) => driver.io.logs.findTimestamp(id(log), timestamp, at(limit)),
    };
  }

  private findMaxTimestamp(): Step {
    const { log } = this;
    const limit = this.prng.between(this.start, this.end);
    return {
      name: `find max timestamp below ${limit}`,
      run: ({ driver }) => driver.io.logs.findMaxTimestamp(id(log), at(limit)),
    };
  }

  private readHeaders(): Step {
    const { log } = this;
    const from = this.prng.between(this.start, this.end);
    const rowsMax = this.prng.between(1, 40);
    return {
      name: `read ${rowsMax} headers from ${from}`,
      run: async ({ driver }) => [
        ...(await driver.io.logs.readHeaders(id(log), at(from), rowsMax)),
      ],
    };
  }

  private read(): Step {
    const { log } = this;
    const from = this.prng.between(this.start, this.end);
    return {
      name: `read all from ${from}`,
      run: async ({ driver }) => Buffer.from(await driver.readAll(log, from)).toString("base64"),
    };
  }

  private segments(): Step {
    const { log } = this;
    return {
      name: "segments",
      run: async ({ driver }) => {
        const bytes = new Float64Array(1);
        driver.io.logs.sizes(Uint32Array.of(log), bytes);
        return [bytes[0], await driver.io.logs.segments(id(log))];
      },
    };
  }

  private restart(): Step {
    this.opened += 1;
    const { log } = this;
    return {
      name: "restart",
      run: async (side) => {
        await side.driver.io.close();
        side.driver = new LogDriver(side.world.open());
        const states = await side.driver.open(side.world.dataDirectory, [spec(log, CONFIG, 1)]);
        return states.map(withoutTimestamp);
      },
    };
  }

  /** A call that answers with the new state, from which the model learns. */
  private change(name: string, call: (driver: LogDriver, log: number) => Promise<LogState>): Step {
    const { log } = this;
    return {
      name,
      run: async ({ driver }) => {
        const state = await call(driver, log);
        this.start = state.startOffset;
        return withoutTimestamp(state);
      },
    };
  }
}

const STEP_DEADLINE_MS = 20_000;

async function answered(result: Promise<unknown>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), STEP_DEADLINE_MS);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function runSequence(seed: number, steps: number): Promise<void> {
  const sides: Side[] = engines.map((engine) => {
    const world = engine.world();
    return { world, driver: new LogDriver(world.open()) };
  });
  const history: string[] = [];
  try {
    for (const side of sides) await side.driver.open(side.world.dataDirectory, [spec(1, CONFIG)]);
    const sequence = new Sequence(new Prng(seed));
    for (let count = 0; count < steps; count++) {
      const step = sequence.next();
      history.push(step.name);
      const results: unknown[] = [];
      try {
        for (const side of sides) results.push(await answered(step.run(side)));
        expect(results[1]).toEqual(results[0]);
      } catch (error) {
        const shown = history.slice(-12).join("; ");
        throw new Error(`seed ${seed}, step ${count}: ${shown}: ${String(error)}`, {
          cause: error,
        });
      }
    }
  } finally {
    for (const side of sides) {
      await side.driver.io.close();
      side.world.destroy();
    }
  }
}

describe.skipIf(unavailable !== undefined)(`engines compared${skipped}`, () => {
  const given = process.env["MANTOU_SEED"];
  const rounds = process.env["MANTOU_LONG"] === "1" ? 100 : 4;
  const seeds =
    given === undefined ? Array.from({ length: rounds }, (_, n) => n + 1) : [Number(given)];
  test.each(seeds)(
    "the same calls give the same answers, seed %d",
    async (seed) => {
      await runSequence(seed, 150);
    },
    60_000,
  );
});
