import { Prng } from "@mantou/base";
import type { Ambient } from "@mantou/broker";
import { Broker } from "@mantou/broker";
import { parseBrokerConfig } from "@mantou/catalog";
import { codecs } from "@mantou/client";
import type { Arena, Io, LogStore, MemoryDisk, Table } from "@mantou/io";
import { EventQueue, PinTable, PortableArena, PortableLogStore } from "@mantou/io";
import type { SentFrame } from "./fuzz-network.ts";
import { FuzzNetwork } from "./fuzz-network.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Small on purpose: a full arena is one of the things that happen. */
const ARENA_BYTES = 4 * 1024 * 1024;
const DATA_DIRECTORY = "memory";

/** Bounds of the broker under test: low enough to be reached. */
const SETTINGS: Readonly<Record<string, string>> = {
  listeners: "PLAINTEXT://127.0.0.1:0",
  "log.dirs": DATA_DIRECTORY,
  "num.partitions": "2",
  "mantou.partitions.max": "200",
  "mantou.partitions.per.topic.max": "50",
  "mantou.producers.per.partition.max": "20",
  "mantou.producers.max": "200",
  "max.incremental.fetch.session.cache.slots": "20",
  "mantou.disk.free.min.bytes": "1048576",
  "log.retention.ms": "-1",
};

/** The portable engine without sockets and without a clock. */
class FuzzIo implements Io {
  readonly kind = "portable";
  readonly network: FuzzNetwork;
  readonly logs: LogStore;
  readonly pins = new PinTable();
  readonly portableArena = new PortableArena(ARENA_BYTES);
  readonly events: EventQueue;

  constructor(
    private readonly time: VirtualTime,
    disk: MemoryDisk,
    onAnswer: (frame: SentFrame, response: Uint8Array) => void,
    onSkip: (frame: SentFrame) => void,
    impatient: readonly Uint8Array[],
  ) {
    this.events = new EventQueue(time);
    const { portableArena, events, pins } = this;
    this.network = new FuzzNetwork(portableArena, events, pins, onAnswer, onSkip, impatient);
    this.logs = new PortableLogStore(portableArena, events, pins, disk, time, codecs);
  }

  get arena(): Arena {
    return this.portableArena;
  }

  onEvents(bell: () => void): void {
    this.events.onEvents(bell);
  }

  drain(events: Table): number {
    return this.events.drain(events);
  }

  soon(call: () => void): void {
    this.time.soon(call);
  }

  async close(): Promise<void> {
    this.events.discard();
    await this.logs.close();
  }
}

/** Log lines that say that something is wrong with the broker itself. */
const DEFECTS = /^error (?!disk_low|log_failed|log_reopen_failed)|request_failed|not_encodable/;

/** What the broker holds that must be nothing when nothing is under way. */
export interface Holdings {
  readonly arenaBytes: number;
  readonly pins: number;
  readonly parkedFetches: number;
  readonly locating: number;
  readonly produces: number;
  readonly frames: number;
}

/** A whole broker in this process and in virtual time. */
export class FuzzBroker {
  /** Lines that a healthy broker does not write, whatever it is sent. */
  readonly defects: string[] = [];
  readonly io: FuzzIo;
  readonly broker: Broker;

  private constructor(
    readonly time: VirtualTime,
    readonly disk: MemoryDisk,
    seed: number,
    onAnswer: (frame: SentFrame, response: Uint8Array) => void,
    onSkip: (frame: SentFrame) => void,
    impatient: readonly Uint8Array[],
  ) {
    const config = parseBrokerConfig(Object.entries(SETTINGS));
    if (!config.ok) throw new Error(config.error.join("; "));
    this.io = new FuzzIo(time, disk, onAnswer, onSkip, impatient);
    this.broker = new Broker(this.io, config.value, this.ambient(seed));
  }

  /** @param impatient frames that arrive while it is not ready yet. */
  static start(
    time: VirtualTime,
    disk: MemoryDisk,
    seed: number,
    onAnswer: (frame: SentFrame, response: Uint8Array) => void,
    onSkip: (frame: SentFrame) => void,
    impatient: readonly Uint8Array[] = [],
  ): FuzzBroker {
    const fuzzed = new FuzzBroker(time, disk, seed, onAnswer, onSkip, impatient);
    fuzzed.settle("start", fuzzed.broker.start());
    return fuzzed;
  }

  get network(): FuzzNetwork {
    return this.io.network;
  }

  /** What is held right now. */
  holdings(): Holdings {
    const fetch = this.broker["fetch"]["parts"];
    return {
      arenaBytes: this.io.portableArena.usedBytes,
      pins: this.io.pins.size,
      parkedFetches: fetch.lot.parked,
      locating: fetch.planner["waiting"].size,
      produces: this.broker["produce"].waiting,
      frames: this.network.waiting,
    };
  }

  stop(): void {
    this.settle("stop", this.broker.stop());
  }

  /** Runs until a promise is settled, moving time on where nothing else happens. */
  private settle(what: string, promise: Promise<void>): void {
    let outcome: "open" | "done" | { readonly error: unknown } = "open";
    promise.then(
      () => {
        outcome = "done";
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    for (let round = 0; round < 1000; round += 1) {
      this.time.run();
      const now = outcome as "open" | "done" | { readonly error: unknown };
      if (now === "done") return;
      if (typeof now === "object") throw now.error;
      this.time.advance(100);
    }
    throw new Error(`${what} does not come to an end`);
  }

  private ambient(seed: number): Ambient {
    const prng = new Prng(seed);
    const line =
      (level: string) =>
      (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        if (level === "info") return;
        // Most lines are one malformed request each: they are not worth the text.
        if (event === "request_malformed") return;
        const text = `${level} ${event} ${JSON.stringify(fields)}`;
        if (DEFECTS.test(text)) this.defects.push(text);
      };
    return {
      clock: this.time.clock,
      timers: this.time,
      logger: { info: line("info"), warn: line("warn"), error: line("error") },
      hostName: "localhost",
      randomBytes: (length) => Uint8Array.from({ length }, () => prng.below(256)),
      fatal: (reason, error) => {
        this.defects.push(`fatal ${reason} ${error instanceof Error ? error.stack : error}`);
        throw new Error(`fatal: ${reason}`, { cause: error });
      },
    };
  }
}
