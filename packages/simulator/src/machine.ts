import { Prng } from "@mantou/base";
import type { Ambient } from "@mantou/broker";
import { Broker } from "@mantou/broker";
import { parseBrokerConfig } from "@mantou/catalog";
import type { PortableIo, Survivors } from "@mantou/io";
import { MemoryDisk, openPortableIo } from "@mantou/io";
import type { DiskWeather } from "./disk-pace.ts";
import { DiskPace, fairDisk } from "./disk-pace.ts";
import type { Process, VirtualTime } from "./time.ts";
import type { Trace } from "./trace.ts";
import type { Wires } from "./wires.ts";

export const BROKER_PORT = 9092;
export const DATA_DIRECTORY = "memory";
/** Small: a broker is made at every restart, and every byte of it is zeroed. */
const ARENA_BYTES = 1024 * 1024;

/** Log lines that a broker writes only when something is wrong with the broker itself. */
const DEFECTS =
  /^error (?!disk_low|log_failed|log_reopen_failed|producer_snapshot)|request_failed|not_encodable/;

/** One life of the broker, from its start to its crash or stop. */
export interface Instance {
  /** Counts lives from 1. */
  readonly number: number;
  readonly process: Process;
  readonly io: PortableIo;
  readonly broker: Broker;
  isServing: boolean;
}

export interface MachineOptions {
  readonly time: VirtualTime;
  readonly wires: Wires;
  readonly trace: Trace;
  readonly prng: Prng;
  readonly settings: Readonly<Record<string, string>>;
  /** Something that must not happen has happened. */
  readonly onDefect: (text: string) => void;
  /** Breaks a broker before it starts: for planted bugs. */
  readonly plant?: ((instance: Instance) => void) | undefined;
}

/** The machine under the broker: its disk outlives every crash. */
export class Machine {
  readonly disk = new MemoryDisk();
  readonly diskWeather: DiskWeather = fairDisk();
  instance: Instance | null = null;
  /** Lives that were begun. */
  lives = 0;
  /** Since the last start a flush has failed: the broker is to stop itself, and no defect. */
  flushHasFailed = false;
  /** Since the last start writes have failed: where the metadata's did, the broker stops. */
  writesHaveFailed = false;

  constructor(private readonly options: MachineOptions) {}

  get isUp(): boolean {
    return this.instance?.isServing === true;
  }

  /** Starts a broker on what the disk holds. */
  start(): void {
    const { time, wires, trace, prng, plant } = this.options;
    this.lives += 1;
    this.flushHasFailed = false;
    this.writesHaveFailed = this.disk.failWrites;
    this.disk.failFlushes = false;
    const process = time.process(`broker-${this.lives}`);
    const io = openPortableIo({
      arenaBytes: ARENA_BYTES,
      disk: this.disk,
      scheduler: process,
      diskScheduler: new DiskPace(process, new Prng(prng.u32()), this.diskWeather),
      sockets: wires.socketsOf(process),
    });
    const broker = new Broker(io, this.config(), this.ambient(process, prng.u32()));
    const instance: Instance = { number: this.lives, process, io, broker, isServing: false };
    this.instance = instance;
    plant?.(instance);
    trace.add("machine", `start ${this.lives}`);
    broker.start().then(
      () => {
        instance.isServing = true;
        if (process.isAlive) trace.add("machine", `serving ${instance.number}`);
      },
      (error: unknown) => {
        if (process.isAlive && !this.flushHasFailed) {
          this.options.onDefect(`the broker does not start: ${text(error)}`);
        }
      },
    );
  }

  /**
   * The power goes, or only the process where all `survivors` survive. Nothing of the broker runs
   * any more; the disk keeps what was flushed, and what else `survivors` lets it keep.
   */
  crash(survivors: Survivors, silent: boolean): void {
    const { instance } = this;
    if (instance === null) return;
    this.options.trace.add("machine", `crash ${instance.number}${silent ? " silently" : ""}`);
    this.instance = null;
    instance.process.kill();
    this.disk.crash(survivors);
    this.disk.failFlushes = false;
    this.options.wires.processDied(instance.process, silent);
  }

  /** Stops as an operator does; `done` follows unless it crashes before. */
  stop(done: () => void): void {
    const { instance } = this;
    if (instance === null) return;
    this.options.trace.add("machine", `stop ${instance.number}`);
    instance.isServing = false;
    instance.broker.stop().then(
      () => {
        if (this.instance !== instance || !instance.process.isAlive) return;
        this.instance = null;
        instance.process.kill();
        this.options.wires.processDied(instance.process, false);
        done();
      },
      (error: unknown) => {
        if (!instance.process.isAlive) return;
        if (!this.flushHasFailed) {
          this.options.onDefect(`the broker does not stop: ${text(error)}`);
        }
      },
    );
  }

  private config() {
    const config = parseBrokerConfig(
      Object.entries({
        listeners: `PLAINTEXT://127.0.0.1:${BROKER_PORT}`,
        "log.dirs": DATA_DIRECTORY,
        ...this.options.settings,
      }),
    );
    if (!config.ok) throw new Error(config.error.join("; "));
    return config.value;
  }

  private ambient(process: Process, seed: number): Ambient {
    const { time, trace, onDefect } = this.options;
    const prng = new Prng(seed);
    const line =
      (level: string) =>
      (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        const said = `${level} ${event} ${JSON.stringify(fields)}`;
        trace.add(process.name, said);
        if (DEFECTS.test(said) && !this.flushHasFailed) onDefect(`the broker says: ${said}`);
      };
    return {
      clock: time.clock,
      timers: process,
      logger: { info: line("info"), warn: line("warn"), error: line("error") },
      hostName: "localhost",
      randomBytes: (length) => Uint8Array.from({ length }, () => prng.below(256)),
      fatal: (reason, error) => {
        trace.add(process.name, `fatal ${reason}`);
        const isMetadata =
          this.writesHaveFailed && reason.startsWith("the metadata log has failed");
        if (process.isAlive && !this.flushHasFailed && !isMetadata) {
          onDefect(`fatal: ${reason}: ${text(error)}`);
        }
        process.kill();
        throw new Error(`fatal: ${reason}`, { cause: error });
      },
    };
  }
}

const text = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
