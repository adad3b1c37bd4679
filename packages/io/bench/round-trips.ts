/**
 * What the door costs: an empty drain, and produce-like round trips over loopback, per engine.
 *
 *   bun packages/io/bench/round-trips.ts [--seconds 2] [--engine native|portable]
 *
 * The client shares the machine and, for `portable`, the thread: ratios count, absolutes do not.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type LogId, type Millis, logId, millis } from "@mantou/base";
import { encodeBatch } from "@mantou/protocol";
import {
  APPEND_WORDS,
  Append,
  EVENT_WORDS,
  Event,
  EventKind,
  INSPECT_WORDS,
  Inspect,
  InspectCode,
  type Io,
  PLAN_WORDS,
  Plan,
  PlanKind,
  Table,
  openNativeIo,
  openPortableIo,
} from "../src/index.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    engine: { type: "string" },
  },
});
const SECONDS = Number(values.seconds);

/** A broker reduced to its stages: inspect, append, wait until durable, answer 60 bytes. */
class ProduceLoop {
  private readonly events = new Table(EVENT_WORDS, 256);
  private readonly plan = new Table(PLAN_WORDS, 1024);
  private readonly inspects = new Table(INSPECT_WORDS, 256);
  private readonly appends = new Table(APPEND_WORDS, 256);
  private readonly answer = new Uint8Array(60);
  private readonly waiting: { end: number; row: Uint32Array }[] = [];
  private end = 0;
  drains = 0;

  constructor(
    private readonly io: Io,
    private readonly log: LogId | null,
  ) {
    io.onEvents(() => this.tick());
  }

  private tick(): void {
    let count: number;
    do {
      count = this.io.drain(this.events);
      this.drains += 1;
      this.handle(count);
    } while (count === this.events.capacity);
  }

  private handle(count: number): void {
    const frames: number[] = [];
    let rows = 0;
    for (let row = 0; row < count; row++) {
      const kind = this.events.word(row, Event.kind);
      if (kind === EventKind.DURABLE)
        rows = this.settle(rows, this.events.double(row, Event.offsetF64));
      if (kind === EventKind.FRAME) frames.push(row);
    }
    if (this.log === null) {
      for (const row of frames) rows = this.respond(rows, this.frameOf(row));
    } else if (frames.length > 0) {
      this.append(frames, this.log);
    }
    if (rows > 0) this.io.network.submit(this.plan, rows, this.answer);
  }

  private append(frames: readonly number[], log: LogId): void {
    for (const [index, row] of frames.entries()) {
      this.inspects.setWord(index, Inspect.offset, this.events.word(row, Event.frameOffset) + 8);
      this.inspects.setWord(index, Inspect.length, this.events.word(row, Event.frameLength) - 8);
      this.inspects.setWord(index, Inspect.flags, 0);
    }
    this.io.logs.inspect(this.inspects, frames.length);
    for (const [index, row] of frames.entries()) {
      if (this.inspects.word(index, Inspect.code) !== InspectCode.OK) throw new Error("bad batch");
      const offset = this.inspects.word(index, Inspect.offset);
      this.appends.setWord(index, Append.logId, log);
      this.appends.setWord(index, Append.offset, offset);
      this.appends.setWord(index, Append.length, this.inspects.word(index, Inspect.length));
      this.appends.setWord(index, Append.flags, 0);
      this.appends.setDouble(index, Append.baseOffsetF64, this.end);
      this.end += this.io.arena.view.getInt32(offset + 23) + 1;
      this.waiting.push({ end: this.end, row: this.frameOf(row) });
    }
    this.io.logs.append(this.appends, frames.length, Date.now() as Millis);
  }

  private settle(rows: number, durable: number): number {
    while (this.waiting.length > 0 && (this.waiting[0] as { end: number }).end <= durable) {
      rows = this.respond(rows, (this.waiting.shift() as { row: Uint32Array }).row);
    }
    return rows;
  }

  private frameOf(row: number): Uint32Array {
    return this.events.words.slice(row * EVENT_WORDS, (row + 1) * EVENT_WORDS);
  }

  private respond(rows: number, frame: Uint32Array): number {
    this.plan.setWord(rows, Plan.kind, PlanKind.RESPOND);
    this.plan.setWord(rows, Plan.connection, frame[Event.connection] as number);
    this.plan.setWord(rows, Plan.generation, frame[Event.generation] as number);
    this.plan.setWord(rows, Plan.sequence, frame[Event.sequence] as number);
    this.plan.setWord(rows, Plan.segmentCount, 1);
    this.plan.setWord(rows, Plan.totalBytes, this.answer.length);
    this.plan.setWord(rows + 1, Plan.kind, PlanKind.SEGMENT_BYTES);
    this.plan.setWord(rows + 1, Plan.byteOffset, 0);
    this.plan.setWord(rows + 1, Plan.byteLength, this.answer.length);
    this.plan.setWord(rows + 2, Plan.kind, PlanKind.RELEASE);
    this.plan.setWord(rows + 2, Plan.handle, frame[Event.frameOffset] as number);
    return rows + 3;
  }
}

/** Keeps `depth` requests in flight on each of `connections`; returns requests per second. */
async function load(
  port: number,
  body: Uint8Array,
  connections: number,
  depth: number,
): Promise<{ perSecond: number; p50Ms: number; p99Ms: number }> {
  const frame = Buffer.alloc(12 + body.length);
  frame.writeInt32BE(8 + body.length);
  frame.set(body, 12);
  const latencies: number[] = [];
  let answered = 0;
  const deadline = performance.now() + SECONDS * 1000;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      const sent: number[] = [];
      let bytes = 0;
      const send = (): void => {
        sent.push(performance.now());
        socket.write(frame);
      };
      socket.on("connect", () => {
        for (let count = 0; count < depth; count++) send();
      });
      socket.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        for (; bytes >= 64; bytes -= 64) {
          const now = performance.now();
          latencies.push(now - (sent.shift() as number));
          answered += 1;
          if (now < deadline) send();
          else if (sent.length === 0) socket.destroy();
        }
      });
      socket.on("close", () => resolve());
      socket.on("error", reject);
    });
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  const elapsed = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? 0;
  return { perSecond: answered / elapsed, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function measure(name: string, io: Io, dataDirectory: string): Promise<void> {
  const events = new Table(EVENT_WORDS, 256);
  const rounds = 1_000_000;
  io.drain(events);
  const start = performance.now();
  for (let round = 0; round < rounds; round++) io.drain(events);
  const perDrain = ((performance.now() - start) * 1e6) / rounds;
  console.log(`${name}: empty drain ${perDrain.toFixed(0)} ns`);

  const listen = { host: "127.0.0.1", port: 0, listenerId: 1, frameBytesMax: 1 << 24 };
  const { port } = io.network.listen(listen);
  const show = (what: string, found: Awaited<ReturnType<typeof load>>, bytes: number): void => {
    const rate = `${(found.perSecond / 1000).toFixed(1)} k requests/s`;
    const volume = `${((found.perSecond * bytes) / 1e6).toFixed(0)} MB/s`;
    const times = `p50 ${found.p50Ms.toFixed(3)} ms, p99 ${found.p99Ms.toFixed(3)} ms`;
    console.log(`${name}: ${what}: ${rate}, ${volume}, ${times}`);
  };
  let loop = new ProduceLoop(io, null);
  show("answer 52 bytes, 1 x 1", await load(port, new Uint8Array(52), 1, 1), 64);
  show("answer 52 bytes, 16 x 5", await load(port, new Uint8Array(52), 16, 5), 64);

  const opening = io.logs.open({
    dataDirectory,
    reserveBytes: 0,
    freeBytesMin: 0,
    groupHoldMs: 2,
    flush: "auto",
    filesOpenMax: 0,
  });
  await opening;
  await io.logs.openLogs([
    {
      logId: logId(1),
      topic: "bench",
      topicId: Buffer.alloc(16, 1).toString("base64url") as never,
      partition: 0,
      config: {
        segmentBytes: 1 << 30,
        segmentMs: millis(1e12),
        segmentJitterMs: 0,
        segmentIndexBytes: 10 << 20,
        indexIntervalBytes: 4096,
        fileDeleteDelayMs: 0,
        preallocate: false,
        durability: "fsync",
      },
    },
  ]);
  loop = new ProduceLoop(io, logId(1));
  const value = new Uint8Array(1000).fill(7);
  const batch = encodeBatch(Array.from({ length: 16 }, () => ({ value, timestamp: 1 })));
  show("produce 16 KB durably, 1 x 1", await load(port, batch, 1, 1), batch.length);
  show("produce 16 KB durably, 8 x 5", await load(port, batch, 8, 5), batch.length);
  console.log(`${name}: ${loop.drains} drains, store ${JSON.stringify(io.logs.stats())}`);
  await io.close();
}

const directory = mkdtempSync(join(tmpdir(), "mantou-bench-"));
try {
  if (values.engine !== "portable") await measure("native", openNativeIo(), directory);
  if (values.engine !== "native") await measure("portable", openPortableIo(), directory);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
