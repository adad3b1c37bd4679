import { Prng } from "@mantou/base";
import type { BatchReader } from "./clients/batches.ts";
import { ClientConnection, NoAnswer } from "./clients/connection.ts";
import type { History, TopicLife } from "./history.ts";
import type { Process, VirtualTime } from "./time.ts";
import type { Trace } from "./trace.ts";
import type { Wires } from "./wires.ts";

/**
 * `busy`: faults and new work. `finishing`: all is well again; work that was begun is brought to
 * its end. `draining`: nobody writes any more; readers come to the end. `over`.
 */
export type Phase = "busy" | "finishing" | "draining" | "over";

/** What all actors share. */
export interface World {
  readonly time: VirtualTime;
  readonly wires: Wires;
  readonly trace: Trace;
  readonly history: History;
  readonly batches: BatchReader;
  phase: Phase;
  /** Topics that live through the whole run, by name. */
  readonly standing: Map<string, TopicLife>;
  defect(text: string): void;
  /** A number that no record of this run has had. */
  nextValue(): number;
}

const RETRY_MS_MIN = 5;
const RETRY_MS_MAX = 200;

/** A client process with a task of its own. */
export abstract class Actor {
  readonly prng: Prng;
  process: Process;
  /** The task is done, as far as the phase lets it. */
  isDone = false;
  private connection: ClientConnection | null = null;

  constructor(
    protected readonly world: World,
    readonly name: string,
    seed: number,
  ) {
    this.prng = new Prng(seed);
    this.process = world.time.process(name);
  }

  /** Makes the one that takes the place of this one after a crash; null: it does not crash. */
  successor: ((seed: number) => Actor) | null = null;

  /** A writer is to be done in `finishing`, a reader in `draining`. */
  abstract readonly isWriter: boolean;

  /** Does the task; a promise that never resolves where the process dies. */
  protected abstract run(): Promise<void>;

  start(): void {
    this.process.soon(() => {
      this.run().then(
        () => {
          this.isDone = true;
          this.world.trace.add(this.name, "done");
        },
        (error: unknown) => {
          if (!this.process.isAlive) return;
          const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
          this.world.defect(`${this.name} fails: ${text}`);
        },
      );
    });
  }

  /** What keeps it, for the report of a run that does not come to rest. */
  describe(): string {
    return this.name;
  }

  protected get isBusy(): boolean {
    return this.world.phase === "busy";
  }

  /** The process dies and nobody says goodbye. */
  crash(): void {
    this.world.trace.add(this.name, "crash");
    this.process.kill();
    this.world.wires.processDied(this.process, this.prng.chance(1, 4));
    this.connection = null;
  }

  /** The open connection, or a new one, however long that takes. */
  protected async connected(): Promise<ClientConnection> {
    for (;;) {
      if (this.connection?.isOpen === true) return this.connection;
      try {
        this.connection = await this.connect();
        return this.connection;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        await this.pause();
      }
    }
  }

  /** A connection of its own. Throws NoAnswer. */
  protected connect(): Promise<ClientConnection> {
    const { world, process } = this;
    return ClientConnection.open({
      process,
      sockets: world.wires.socketsOf(process),
      trace: world.trace,
      onDefect: (text) => world.defect(text),
      mustAnswer: () => world.phase !== "busy",
    });
  }

  protected hangUp(): void {
    this.connection?.close();
    this.connection = null;
  }

  /** Does something that may go without an answer. */
  protected async patiently(what: () => Promise<unknown>): Promise<boolean> {
    try {
      await what();
      return true;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      return false;
    }
  }

  protected async untilDone(what: () => Promise<unknown>): Promise<void> {
    while (!(await this.patiently(what))) await this.pause();
  }

  protected pause(msMin = RETRY_MS_MIN, msMax = RETRY_MS_MAX): Promise<void> {
    return this.process.sleep(this.prng.between(msMin, msMax));
  }
}
