import { describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { type EpochEntry, LeaderEpochs, epochsFromHeaders } from "../src/index.ts";

/** The same rules on a plain list, oldest first. */
class Model {
  entries: EpochEntry[] = [];

  assign(epoch: number, startOffset: number): void {
    if (this.entries.at(-1)?.epoch === epoch) return;
    this.entries = this.entries.filter((entry) => entry.startOffset < startOffset);
    this.entries.push({ epoch, startOffset });
  }

  endOffsetFor(epoch: number, logEnd: number): { epoch: number; endOffset: number } {
    const latest = this.entries.at(-1);
    if (latest === undefined || epoch < 0 || epoch > latest.epoch)
      return { epoch: -1, endOffset: -1 };
    if (epoch === latest.epoch) return { epoch, endOffset: logEnd };
    const higher = this.entries.find((entry) => entry.epoch > epoch) as EpochEntry;
    const floor = this.entries.findLast((entry) => entry.epoch <= epoch);
    return { epoch: floor?.epoch ?? epoch, endOffset: higher.startOffset };
  }

  truncateEnd(end: number): void {
    this.entries = this.entries.filter((entry) => entry.startOffset < end);
  }

  truncateStart(start: number): void {
    const covering = this.entries.findLast((entry) => entry.startOffset <= start);
    if (covering === undefined) return;
    const later = this.entries.filter((entry) => entry.startOffset > start);
    this.entries = [{ epoch: covering.epoch, startOffset: start }, ...later];
  }
}

describe("LeaderEpochs", () => {
  test("the history of one partition", () => {
    const epochs = new LeaderEpochs();
    expect(epochs.latest(3)).toBe(-1);
    expect(epochs.endOffsetFor(3, 0, 10)).toEqual({ epoch: -1, endOffset: -1 });
    epochs.assign(3, 2, 0);
    epochs.assign(3, 5, 100);
    epochs.assign(3, 7, 150);
    expect(epochs.endOffsetFor(3, 7, 180)).toEqual({ epoch: 7, endOffset: 180 });
    expect(epochs.endOffsetFor(3, 8, 180)).toEqual({ epoch: -1, endOffset: -1 });
    expect(epochs.endOffsetFor(3, 6, 180)).toEqual({ epoch: 5, endOffset: 150 });
    expect(epochs.endOffsetFor(3, 5, 180)).toEqual({ epoch: 5, endOffset: 150 });
    expect(epochs.endOffsetFor(3, 4, 180)).toEqual({ epoch: 2, endOffset: 100 });
    expect(epochs.endOffsetFor(3, 1, 180)).toEqual({ epoch: 1, endOffset: 0 });
    expect(epochs.endOffsetFor(3, -1, 180)).toEqual({ epoch: -1, endOffset: -1 });
    expect([0, 99, 100, 149, 150].map((offset) => epochs.at(3, offset))).toEqual([2, 2, 5, 5, 7]);
  });

  test("an epoch that wrote nothing gives way to the next", () => {
    const epochs = new LeaderEpochs();
    epochs.assign(0, 1, 0);
    epochs.assign(0, 2, 0);
    epochs.assign(0, 3, 0);
    expect(epochs.entries(0)).toEqual([{ epoch: 3, startOffset: 0 }]);
  });

  test("batch headers tell what a checkpoint lacks", () => {
    const row = (baseOffset: number, epoch: number): number[] => [
      baseOffset,
      0,
      0,
      -1,
      -1,
      -1,
      0,
      epoch,
    ];
    const headers = Float64Array.from([...row(5, 1), ...row(6, 3), ...row(9, 3), ...row(12, 4)]);
    expect(epochsFromHeaders([{ epoch: 1, startOffset: 0 }], headers)).toEqual([
      { epoch: 1, startOffset: 0 },
      { epoch: 3, startOffset: 6 },
      { epoch: 4, startOffset: 12 },
    ]);
  });

  test("many partitions at random, against a list for each", () => {
    const seed = Number(process.env["MANTOU_SEED"] ?? 11);
    const prng = new Prng(seed);
    const epochs = new LeaderEpochs();
    const slots = 40;
    const models = Array.from({ length: slots }, () => new Model());
    const ends = new Array<number>(slots).fill(0);
    for (let step = 0; step < 20_000; step += 1) {
      const slot = prng.below(slots);
      const model = models[slot] as Model;
      const end = ends[slot] as number;
      const latest = model.entries.at(-1)?.epoch ?? -1;
      switch (prng.below(6)) {
        case 0:
        case 1:
          epochs.assign(slot, latest + prng.between(1, 3), end);
          model.assign(epochs.latest(slot), end);
          ends[slot] = end + prng.below(10);
          break;
        case 2: {
          const to = prng.below(end + 1);
          epochs.truncateEnd(slot, to);
          model.truncateEnd(to);
          ends[slot] = to;
          break;
        }
        case 3: {
          const start = prng.below(end + 1);
          epochs.truncateStart(slot, start);
          model.truncateStart(start);
          break;
        }
        case 4:
          if (prng.chance(1, 20)) {
            epochs.clear(slot);
            model.entries = [];
            ends[slot] = 0;
          }
          break;
        default:
          epochs.restore(slot, epochs.entries(slot));
      }
      const asked = prng.between(-1, latest + 2);
      const where = `seed ${seed} step ${step}`;
      expect([where, epochs.entries(slot)]).toEqual([where, model.entries]);
      expect([where, epochs.endOffsetFor(slot, asked, ends[slot] as number)]).toEqual([
        where,
        model.endOffsetFor(asked, ends[slot] as number),
      ]);
    }
  });
});
