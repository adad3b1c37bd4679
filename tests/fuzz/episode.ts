import { Prng } from "@mantou/base";
import type { CatalogImage } from "@mantou/catalog";
import { checkInvariants } from "@mantou/catalog";
import { MemoryDisk } from "@mantou/io";
import {
  createTopicsApi,
  fetchApi,
  initProducerIdApi,
  metadataApi,
  produceApi,
} from "@mantou/protocol";
import { encodeBatch } from "@mantou/protocol";
import { AwareValues } from "./aware-values.ts";
import { BatchMaker } from "./batch-maker.ts";
import type { MadeFrame, Served } from "./frame-maker.ts";
import { FrameMaker } from "./frame-maker.ts";
import { FuzzBroker } from "./fuzz-broker.ts";
import type { SentFrame } from "./fuzz-network.ts";
import { Oracle, PAGE_CACHE_TOPIC } from "./oracle.ts";
import { VirtualTime } from "./virtual-time.ts";
import { World } from "./world.ts";

const CONNECTIONS_MAX = 100;
/** Connections that carry many requests each. */
const SHARED_CONNECTIONS = 4;
const BURST_MAX = 48;
/** Frames that are there before the broker is ready are fewer. */
const EARLY_MAX = 8;
/** A little above the floor of free space that the broker is told to keep. */
const LOW_BYTES = 512 * 1024;
/** The process's size is looked at once in so many rounds. */
const ROUNDS_PER_LOOK = 32;
/** From here on it is asked how much of the size is garbage: a collector in no hurry is no leak. */
const COLLECT_FROM_BYTES = 512 * 1024 * 1024;
/** Longer than any time that a request can name. */
const FOREVER_MS = 2 ** 31 + 60_000;
/** Topics that are made again when they are gone, so that there is always something to hit. */
const TOPICS = ["t0", "t1", "t2", "t3", PAGE_CACHE_TOPIC];

export interface EpisodeResult {
  readonly seed: number;
  readonly frames: number;
  readonly answered: number;
  readonly skipped: number;
  readonly dropped: number;
  readonly closedByBroker: number;
  readonly acknowledged: number;
  readonly trace: number;
  readonly errorCounts: ReadonlyMap<number, number>;
  /** Largest resident size that was seen, in bytes, without garbage where it was large. */
  readonly rssPeak: number;
  readonly faults: readonly string[];
  /** The frames that were sent together last: one of them, or what came before, is to blame. */
  readonly lastRound: readonly Uint8Array[];
}

/** One broker's life under fire, from an empty disk to its restart. Everything follows the seed. */
export class Episode {
  private readonly prng: Prng;
  private time = new VirtualTime();
  private readonly disk = new MemoryDisk();
  private readonly world: World;
  private readonly maker: FrameMaker;
  private readonly oracle: Oracle;
  private fuzzed: FuzzBroker;
  private frames = 0;
  private readonly totals = { answered: 0, skipped: 0, dropped: 0, closedByBroker: 0 };
  private heldFor = 0;
  private rounds = 0;
  private rssPeak = 0;
  /** The frames of the round that is under way, for the report of a failure. */
  private round: Uint8Array[] = [];
  private readonly shared: { readonly slot: number; readonly generation: number }[] = [];

  /** @param sabotage breaks something before the end: the alarm has to go off. For canaries. */
  constructor(
    readonly seed: number,
    private readonly sabotage: (fuzzed: FuzzBroker) => void = () => {},
  ) {
    this.prng = new Prng(seed);
    this.world = new World(this.prng);
    const nowMs = (): number => this.time.clock.wallMs();
    const batches = new BatchMaker(this.prng, this.world, nowMs);
    const values = new AwareValues(this.prng, this.world, batches);
    this.maker = new FrameMaker(this.prng, this.world, values);
    this.oracle = new Oracle(this.disk, this.world, () => this.image);
    this.fuzzed = this.start();
  }

  get image(): CatalogImage {
    return this.fuzzed.broker.image;
  }

  /** Sends `frames` frames, then lets everything come to rest, and looks. */
  run(frames: number): EpisodeResult {
    try {
      this.furnish();
      while (this.frames < frames && this.faultCount === 0) this.nextRound();
      if (this.faultCount === 0) this.finish();
    } catch (error) {
      this.oracle.fault(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return this.result();
  }

  /** Sends given frames, each when the one before is done with, then looks as `run` does. */
  replay(frames: Iterable<Uint8Array>): EpisodeResult {
    try {
      this.furnish();
      for (const bytes of frames) {
        this.send([{ bytes, isHostile: true }]);
        this.partWithStrangers();
        if (this.faultCount > 0) break;
      }
      if (this.faultCount === 0) this.finish();
    } catch (error) {
      this.oracle.fault(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return this.result();
  }

  /** Every lie that one API's requests can tell, in all of its versions. */
  *everyLie(entry: Served): Generator<Uint8Array> {
    for (let version = entry.api.minVersion; version <= entry.maxVersion; version += 1) {
      // Three requests, since not every one has all lists and all structs.
      for (let request = 0; request < 3; request += 1) {
        yield* this.maker.everyLie(entry, version);
        this.furnish();
      }
    }
  }

  private get faultCount(): number {
    return this.oracle.faults.length + this.fuzzed.defects.length;
  }

  private result(): EpisodeResult {
    this.count();
    const { answered, skipped, dropped, closedByBroker } = this.totals;
    const faults = [...this.fuzzed.defects, ...this.oracle.faults];
    return {
      seed: this.seed,
      frames: this.frames,
      answered,
      skipped,
      dropped,
      closedByBroker,
      acknowledged: this.oracle.acknowledgedCount,
      trace: this.oracle.trace,
      errorCounts: this.oracle.errorCounts,
      rssPeak: this.rssPeak,
      faults,
      lastRound: this.round,
    };
  }

  /** @param earlyMax how many frames may be there before the broker is ready, exclusive. */
  private start(earlyMax = EARLY_MAX): FuzzBroker {
    const onAnswer = (frame: SentFrame, bytes: Uint8Array): void =>
      this.oracle.answered(frame, bytes);
    const onSkip = (frame: SentFrame): void => this.oracle.skipped(frame);
    // What an earlier process had planned to do dies with its time.
    this.time = this.time.successor();
    this.shared.length = 0;
    const early = Array.from(
      { length: earlyMax === 0 ? 0 : this.prng.below(earlyMax) },
      () => this.maker.next().bytes,
    );
    const seed = this.prng.u32();
    return FuzzBroker.start(this.time, this.disk, seed, onAnswer, onSkip, early);
  }

  private count(): void {
    const { network } = this.fuzzed;
    this.totals.answered += network.answered;
    this.totals.skipped += network.skipped;
    this.totals.dropped += network.dropped;
    this.totals.closedByBroker += network.closedByBroker;
  }

  /** A frame that may cost its connection mostly gets one of its own. */
  private connection(isHostile: boolean): number {
    const { network } = this.fuzzed;
    const { shared } = this;
    if (isHostile && network.open.size < CONNECTIONS_MAX && this.prng.chance(31, 32)) {
      return network.connectClient();
    }
    const slot = this.prng.below(SHARED_CONNECTIONS);
    const known = shared[slot];
    if (known !== undefined && network.open.get(known.slot)?.generation === known.generation) {
      return known.slot;
    }
    const opened = network.connectClient();
    shared[slot] = { slot: opened, generation: network.open.get(opened)?.generation ?? 0 };
    return opened;
  }

  /** Hands frames over, and lets the broker do what it can without time passing. */
  private send(frames: readonly (MadeFrame | Uint8Array)[]): void {
    const { network } = this.fuzzed;
    this.world.refresh(this.image);
    this.round = frames.map((frame) => (frame instanceof Uint8Array ? frame : frame.bytes));
    for (const frame of frames) {
      const { bytes, isHostile } =
        frame instanceof Uint8Array ? { bytes: frame, isHostile: false } : frame;
      if (!network.deliver(this.connection(isHostile), bytes)) {
        // The arena is full: nobody is read until there is room.
        this.time.run();
        continue;
      }
      this.frames += 1;
    }
    this.time.run();
  }

  /** Makes what is missing of the standing topics and producers. */
  private furnish(): void {
    this.world.refresh(this.image);
    const missing = TOPICS.filter((name) => !this.image.topicsByName.has(name));
    const topics = missing.map((name) => ({
      name,
      numPartitions: 2,
      replicationFactor: 1,
      assignments: [],
      configs: name === PAGE_CACHE_TOPIC ? [{ name: "mantou.durability", value: name }] : [],
    }));
    const frames: Uint8Array[] = [];
    if (topics.length > 0) {
      const request = { topics, timeoutMs: 1000, validateOnly: false };
      frames.push(this.maker.honest(createTopicsApi, 7, request));
    }
    if (this.world.producers.length < 4) {
      const request = { transactionalId: null, transactionTimeoutMs: 0 };
      frames.push(this.maker.honest(initProducerIdApi, 4, request));
    }
    if (frames.length > 0) this.send(frames);
  }

  private nextRound(): void {
    const { prng } = this;
    const count = prng.between(1, BURST_MAX);
    const frames = Array.from({ length: count }, () => this.maker.next());
    this.send(frames);
    this.partWithStrangers();
    this.disturb();
    if (prng.chance(1, 8)) this.furnish();
    this.rounds += 1;
    if (this.rounds % ROUNDS_PER_LOOK === 0) {
      this.rssPeak = Math.max(this.rssPeak, residentBytes());
    }
  }

  /** Connections that were opened for one hostile frame go when that is answered. */
  private partWithStrangers(): void {
    const { network } = this.fuzzed;
    const shared = new Set(this.shared.map((one) => one?.slot));
    for (const [slot, { waiting }] of network.open) {
      if (waiting.size === 0 && !shared.has(slot)) network.disconnect(slot);
    }
  }

  /** What happens to a broker besides requests. */
  private disturb(): void {
    const { prng, disk, time, fuzzed } = this;
    if (this.heldFor > 0 && --this.heldFor === 0) {
      disk.releaseFlushes();
      time.run();
    }
    switch (prng.below(24)) {
      case 0:
        // Peers go, with and without answers that are due.
        for (const slot of [...fuzzed.network.open.keys()]) {
          if (prng.chance(1, 4)) fuzzed.network.disconnect(slot);
        }
        return;
      case 1:
      case 2:
        time.advance(prng.pick([1, 10, 100, 1000]));
        return;
      case 3:
        if (this.heldFor > 0) return;
        disk.holdFlushes();
        this.heldFor = prng.between(1, 6);
        return;
      case 4:
        disk.pendLocates = prng.chance(1, 2);
        return;
      case 5:
        if (prng.chance(1, 8)) this.failWrites();
        return;
      case 6:
        if (prng.chance(1, 8)) this.runLow();
        return;
      case 7:
        if (prng.chance(1, 50)) time.advance(120_000);
        return;
      default:
    }
  }

  /** A disk that refuses writes for a moment; the metadata has nothing to write meanwhile. */
  private failWrites(): void {
    if (this.heldFor > 0) return;
    const frames = Array.from({ length: 4 }, () => this.produceFrame());
    this.disk.failWrites = true;
    this.send(frames);
    this.disk.failWrites = false;
    this.time.advance(1000);
  }

  /** A volume without room to spare for a while. */
  private runLow(): void {
    const capacity = this.disk.capacityBytes;
    this.disk.resize(this.disk.usedBytes + LOW_BYTES);
    for (let round = 0; round < 3; round += 1) {
      this.send(Array.from({ length: 8 }, () => this.maker.next()));
    }
    this.disk.resize(capacity);
    this.time.run();
  }

  private produceFrame(value = "kept"): Uint8Array {
    const timestamp = this.time.clock.wallMs();
    const records = encodeBatch([{ value: new TextEncoder().encode(value), timestamp }]);
    const topicData = [{ name: "t0", partitionData: [{ index: 0, records }] }];
    return this.maker.honest(produceApi, 9, { acks: -1, timeoutMs: 30_000, topicData });
  }

  private finish(): void {
    if (this.prng.chance(1, 3)) this.breakOff();
    this.sabotage(this.fuzzed);
    this.comeToRest();
    this.restart();
  }

  /** The process dies in the middle of its work, and whatever was promised is still there. */
  private breakOff(): void {
    const { disk, fuzzed, prng } = this;
    disk.pendLocates = false;
    if (this.heldFor === 0 && prng.chance(1, 2)) disk.holdFlushes();
    this.send(Array.from({ length: BURST_MAX }, () => this.maker.next()));
    for (let count = prng.below(BURST_MAX); count > 0; count -= 1) {
      fuzzed.network.deliver(this.connection(true), this.maker.next().bytes);
    }
    this.count();
    disk.crash((_log, count) => prng.below(count + 1));
    this.heldFor = 0;
    this.fuzzed = this.start();
    this.fuzzed.defects.push(...fuzzed.defects);
    this.oracle.checkAcknowledged("after it was killed");
    this.send(Array.from({ length: BURST_MAX }, () => this.maker.next()));
  }

  /** Lets go of every fault, waits for ever, and looks at what is left. */
  private comeToRest(): void {
    const { disk, time } = this;
    if (this.heldFor > 0) disk.releaseFlushes();
    this.heldFor = 0;
    disk.pendLocates = false;
    time.run();
    time.advance(60_000);
    time.leap(FOREVER_MS);
    this.round = [];
    this.checkRest("at rest");
    this.checkLife("at rest");
    this.oracle.checkAcknowledged("at rest");
    for (const broken of checkInvariants(this.image)) this.oracle.fault(`catalog: ${broken}`);
    for (const broken of this.fuzzed.broker.partitions.checkInvariants()) {
      this.oracle.fault(`partitions: ${broken}`);
    }
  }

  /** After the end of the process, by its own will or not, everything is there again. */
  private restart(): void {
    const before = topicsOf(this.image);
    const { defects } = this.fuzzed;
    this.count();
    if (this.prng.chance(1, 2)) this.fuzzed.stop();
    this.disk.crash((_log, count) => count);
    this.fuzzed = this.start(0);
    this.fuzzed.defects.push(...defects);
    const after = topicsOf(this.image);
    if (before !== after) this.oracle.fault(`restart: topics were ${before} and are ${after}`);
    this.oracle.checkAcknowledged("after the restart");
    this.furnish();
    this.checkLife("after the restart");
    this.time.advance(60_000);
    this.time.leap(FOREVER_MS);
    this.checkRest("after the restart");
    this.fuzzed.stop();
  }

  /** Nothing is under way, so nothing may be held. */
  private checkRest(when: string): void {
    for (const [what, count] of Object.entries(this.fuzzed.holdings())) {
      if (count !== 0) this.oracle.fault(`${when}: ${what} is ${count}`);
    }
  }

  /** An ordinary client is served. */
  private checkLife(when: string): void {
    this.furnish();
    const { network } = this.fuzzed;
    const before = network.answered;
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }];
    const fetch = { maxWaitMs: 0, minBytes: 0, topics: [{ topic: "t1", partitions }] };
    this.send([
      this.maker.honest(metadataApi, 9, { topics: null }),
      this.produceFrame(),
      this.maker.honest(fetchApi, 12, { ...fetch, forgottenTopicsData: [] }),
    ]);
    if (network.answered !== before + 3) this.oracle.fault(`${when}: a client gets no answers`);
  }
}

const topicsOf = (image: CatalogImage): string =>
  [...image.topicsByName.values()]
    .map(({ name, topicId, partitionCount }) => `${name}:${topicId}:${partitionCount}`)
    .sort()
    .join(" ");

export const runEpisode = (seed: number, frames: number): EpisodeResult =>
  new Episode(seed).run(frames);

function residentBytes(): number {
  const bytes = process.memoryUsage.rss();
  if (bytes < COLLECT_FROM_BYTES) return bytes;
  Bun.gc(true);
  return process.memoryUsage.rss();
}
