import { expect, setDefaultTimeout, test } from "bun:test";
import { type LogId, Prng, logId } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { ProducerStates } from "../src/index.ts";

// The long form takes minutes.
setDefaultTimeout(120_000);

const SEQUENCES = 2 ** 31;
const limits = { producersPerPartitionMax: 6, producersMax: 14, producerIdExpirationMs: 400 };

interface Batch {
  first: number;
  last: number;
  baseOffset: number;
  endOffset: number;
  timestamp: number;
}

interface Producer {
  epoch: number;
  activeMs: number;
  /** All batches of the epoch, oldest first. */
  batches: Batch[];
}

/** The rules of the protocol, written down plainly: maps and lists, nothing is ever reused. */
class Model {
  /** By log and producer id; the order is that of the last activity. */
  readonly producers = new Map<string, Producer>();

  admit(key: string, epoch: number, first: number, last: number, nowMs: number): string {
    const producer = this.producers.get(key);
    if (producer === undefined) return "accept";
    if (nowMs - producer.activeMs >= limits.producerIdExpirationMs) return "accept";
    if (epoch < producer.epoch) return `refuse ${ErrorCode.INVALID_PRODUCER_EPOCH}`;
    if (epoch === producer.epoch) {
      const known = producer.batches
        .slice(-5)
        .findLast((b) => b.first === first && b.last === last);
      if (known !== undefined) return `duplicate ${known.baseOffset} ${known.timestamp}`;
    }
    const newest = epoch > producer.epoch ? undefined : producer.batches.at(-1);
    const expected = newest === undefined ? 0 : (newest.last + 1) % SEQUENCES;
    return first === expected ? "accept" : `refuse ${ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER}`;
  }

  record(log: LogId, key: string, epoch: number, batch: Batch, nowMs: number): void {
    let producer = this.producers.get(key);
    if (producer !== undefined && nowMs - producer.activeMs >= limits.producerIdExpirationMs) {
      this.producers.delete(key);
      producer = undefined;
    }
    if (producer === undefined) {
      const own = [...this.producers.keys()].filter((other) => other.startsWith(`${log}/`));
      if (own.length >= limits.producersPerPartitionMax) this.producers.delete(own[0] as string);
      if (this.producers.size >= limits.producersMax) {
        this.producers.delete([...this.producers.keys()][0] as string);
      }
      producer = { epoch, activeMs: nowMs, batches: [] };
    }
    this.producers.delete(key);
    this.producers.set(key, producer);
    if (producer.epoch !== epoch) producer.batches = [];
    producer.epoch = epoch;
    producer.activeMs = nowMs;
    producer.batches.push(batch);
  }

  truncate(log: LogId, end: number): void {
    for (const [key, producer] of this.producers) {
      if (!key.startsWith(`${log}/`)) continue;
      // Only what is remembered can be found again behind what is cut.
      producer.batches = producer.batches.slice(-5).filter((batch) => batch.endOffset <= end);
      if (producer.batches.length === 0) this.producers.delete(key);
    }
  }

  expire(nowMs: number): void {
    for (const [key, producer] of this.producers) {
      if (nowMs - producer.activeMs >= limits.producerIdExpirationMs) this.producers.delete(key);
    }
  }

  list(log: LogId): (number | undefined)[][] {
    return [...this.producers]
      .filter(([key]) => key.startsWith(`${log}/`))
      .map(([key, { epoch, batches }]) => [
        Number(key.split("/")[1]),
        epoch,
        batches.at(-1)?.last,
        batches.at(-1)?.timestamp,
      ]);
  }
}

test("the same verdicts and memories as a plain model, for any batches", () => {
  const from = Number(process.env["MANTOU_SEED"] ?? 1);
  const seeds = process.env["MANTOU_LONG"] === "1" ? 400 : 20;
  const verdicts = new Map<string, number>();
  for (let seed = from; seed < from + seeds; seed += 1) {
    try {
      runOnce(seed, verdicts);
    } catch (error) {
      throw new Error(`seed ${seed} (MANTOU_SEED=${seed} runs it first)`, { cause: error });
    }
  }
  for (const kind of ["accept", "duplicate", "refuse 45", "refuse 47"]) {
    expect([kind, (verdicts.get(kind) ?? 0) > 5 * seeds]).toEqual([kind, true]);
  }
});

function runOnce(seed: number, verdicts: Map<string, number>): void {
  const prng = new Prng(seed);
  const model = new Model();
  let states = new ProducerStates(limits);
  const logs = [logId(0), logId(3), logId(70)];
  const ends = new Map(logs.map((log) => [log, 0]));
  let nowMs = 0;
  for (let step = 0; step < 1500; step += 1) {
    nowMs += prng.below(8);
    const log = prng.pick(logs);
    const end = ends.get(log) as number;
    const dice = prng.below(100);
    if (dice < 1) {
      const cut = Math.max(end - prng.below(8), 0);
      states.truncate(log, cut);
      model.truncate(log, cut);
      ends.set(log, cut);
    } else if (dice < 2) {
      states.expire(nowMs);
      model.expire(nowMs);
    } else if (dice < 3) {
      states = restarted(states, logs, model, nowMs);
    } else {
      ends.set(log, end + offer(prng, states, model, log, end, nowMs, verdicts));
    }
    for (const each of logs) {
      const listed: (number | undefined)[][] = states
        .list(each)
        .map((p) => [p.producerId, p.producerEpoch, p.lastSequence, p.lastTimestamp]);
      expect({ step, listed }).toEqual({ step, listed: model.list(each) });
    }
  }
}

/** Offers a batch that is the next one, one sent again, or nonsense. Returns records appended. */
function offer(
  prng: Prng,
  states: ProducerStates,
  model: Model,
  log: LogId,
  end: number,
  nowMs: number,
  verdicts: Map<string, number>,
): number {
  const producerId = prng.pick([1, 2, 3, 4, 5, 6, 7, 2 ** 32, 2 ** 32 + 1, 2 ** 52]);
  const key = `${log}/${producerId}`;
  const known = model.producers.get(key);
  const newest = known?.batches.at(-1);
  let epoch = known?.epoch ?? prng.below(3);
  let first = newest === undefined ? prng.below(3) : (newest.last + 1) % SEQUENCES;
  let delta = prng.below(4);
  const dice = prng.below(10);
  if (dice < 3 && known !== undefined && known.batches.length > 0) {
    const again = prng.pick(known.batches.slice(-7));
    first = again.first;
    delta = (again.last - again.first + SEQUENCES) % SEQUENCES;
  } else if (dice < 4) first = (first + prng.below(3)) % SEQUENCES;
  else if (dice < 5) epoch += prng.pick([-1, -1, 1]);
  else if (dice < 6 && known === undefined) first = SEQUENCES - prng.between(1, 6);
  if (epoch < 0) return 0;
  const last = (first + delta) % SEQUENCES;
  const verdict = states.admit(log, producerId, epoch, first, delta, nowMs);
  const said =
    verdict.kind === "duplicate"
      ? `duplicate ${verdict.baseOffset} ${verdict.timestamp}`
      : verdict.kind === "refuse"
        ? `refuse ${verdict.errorCode}`
        : verdict.kind;
  expect(said).toBe(model.admit(key, epoch, first, last, nowMs));
  const kind = verdict.kind === "duplicate" ? verdict.kind : said;
  verdicts.set(kind, (verdicts.get(kind) ?? 0) + 1);
  if (verdict.kind !== "accept") return 0;
  const timestamp = prng.below(1000);
  states.record(log, producerId, epoch, first, delta, end, timestamp, nowMs);
  const batch = { first, last, baseOffset: end, endOffset: end + delta + 1, timestamp };
  model.record(log, key, epoch, batch, nowMs);
  return delta + 1;
}

/** Goes through snapshots; everybody counts as active now, in the order of the logs. */
function restarted(
  states: ProducerStates,
  logs: readonly LogId[],
  model: Model,
  nowMs: number,
): ProducerStates {
  const next = new ProducerStates(limits);
  for (const log of logs) next.restoreSnapshot(log, states.encodeSnapshot(log), nowMs);
  const ordered = logs.flatMap((log) =>
    [...model.producers].filter(([key]) => key.startsWith(`${log}/`)),
  );
  model.producers.clear();
  for (const [key, producer] of ordered) {
    producer.activeMs = nowMs;
    producer.batches = producer.batches.slice(-5);
    model.producers.set(key, producer);
  }
  return next;
}
