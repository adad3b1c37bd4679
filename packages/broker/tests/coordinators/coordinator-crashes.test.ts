import { expect, test } from "bun:test";
import { type LogId, Prng } from "@mantou/base";
import { MemoryDisk } from "@mantou/io";
import { ErrorCode } from "@mantou/protocol";
import { TOPIC, ToyCoordinator } from "./toy-coordinator.ts";

/**
 * Whatever happens between: what anybody was told, by the answer to a write or to a read, is not
 * taken back. MANTOU_LONG=1 runs 2,000 seeds; MANTOU_SEED runs one.
 */
const given = process.env["MANTOU_SEED"];
const SEEDS = process.env["MANTOU_LONG"] === "1" ? 2000 : 16;
const seeds =
  given === undefined ? Array.from({ length: SEEDS }, (_, index) => index) : [Number(given)];
const KEYS = 4;
const TURNS = 300;

const refusals: readonly number[] = [
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
];

/** A coordinator that loses its power, its leadership and its disk, and what it has told. */
class Story {
  /** The newest value of each key that anybody was told of. */
  private readonly told = Array.from({ length: KEYS }, () => 0);
  private next = 1;
  private leaderEpoch = 1;
  private toy!: ToyCoordinator;
  private logId!: LogId;
  private asked: { key: number; value: number; answers: (string | ErrorCode)[] }[] = [];

  constructor(
    private readonly prng: Prng,
    private readonly disk: MemoryDisk,
  ) {}

  async run(): Promise<void> {
    await this.begin();
    for (let turn = 0; turn < TURNS; turn += 1) await this.turn();
    this.disk.failWrites = false;
    this.disk.releaseFlushes();
    await this.restart();
    for (let key = 0; key < KEYS; key += 1) this.read(key);
    await this.toy.run();
    this.listen();
    expect(this.asked.length).toBe(0);
  }

  private async begin(): Promise<void> {
    this.toy = await ToyCoordinator.open(this.disk);
    this.logId = await this.toy.lead(0, this.leaderEpoch);
    await this.toy.run();
  }

  /** Whoever was not answered never will be; what they wrote may be there or not. */
  private async restart(): Promise<void> {
    this.listen();
    this.asked = [];
    this.disk.crash((_, count) => this.prng.below(count + 1));
    this.leaderEpoch += 1;
    await this.begin();
  }

  private async turn(): Promise<void> {
    const { disk, prng, toy } = this;
    const key = prng.below(KEYS);
    switch (prng.below(16)) {
      case 0:
        if (prng.below(4) === 0) await this.restart();
        break;
      case 1:
        disk.holdFlushes();
        break;
      case 2:
        disk.releaseFlushes();
        break;
      case 3:
        disk.failWrites = prng.below(4) === 0;
        break;
      case 4:
        toy.driver.unload(0);
        break;
      case 5:
        if (toy.table.isFailed(this.logId)) await this.reopen();
        else toy.coordinators.leadershipMoved(TOPIC, 0, this.logId);
        break;
      case 6:
        await toy.pass(prng.below(2000));
        break;
      case 7:
      case 8:
      case 9:
        await toy.run();
        break;
      case 10:
      case 11:
      case 12:
        this.read(key);
        break;
      default:
        this.write(key);
    }
    this.listen();
  }

  private async reopen(): Promise<void> {
    this.disk.failWrites = false;
    await this.toy.lead(0, this.leaderEpoch);
  }

  private write(key: number): void {
    const value = this.next++;
    const put = { kind: "put", key: `k${key}`, value: String(value) } as const;
    this.asked.push({ key, value, answers: this.toy.ask(0, put) });
  }

  private read(key: number): void {
    const answers = this.toy.ask(0, { kind: "get", key: `k${key}` });
    this.asked.push({ key, value: -1, answers });
  }

  /** Takes every answer that has come: nobody may be told less than somebody was told before. */
  private listen(): void {
    const open: typeof this.asked = [];
    for (const one of this.asked) {
      const [answer] = one.answers;
      if (answer === undefined) open.push(one);
      else if (typeof answer === "number") expect(refusals).toContain(answer);
      else this.hear(one.key, one.value, answer);
    }
    this.asked = open;
  }

  private hear(key: number, written: number, answer: string): void {
    const value = answer === "put" ? written : answer === "none" ? 0 : Number(answer);
    // Answers come in the order of the steps, so that values only rise.
    expect(value).toBeGreaterThanOrEqual(this.told[key] as number);
    this.told[key] = value;
  }
}

test(
  `${seeds.length} seeds of crashes, failing disks and lost leaderships`,
  async () => {
    for (const seed of seeds) {
      try {
        await new Story(new Prng(seed), new MemoryDisk()).run();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  },
  30_000 + seeds.length * 1000,
);
