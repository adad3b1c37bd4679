import type { Prng } from "@mantou/base";
import type { PortableSocket, SocketAddress, SocketEvents, Sockets } from "@mantou/io";
import type { Process } from "./time.ts";

/** What one direction of a connection takes before its reader has read. */
const WINDOW_BYTES = 64 * 1024;

/** How the network is at the moment. Times in milliseconds. */
export interface Weather {
  latencyMsMin: number;
  latencyMsMax: number;
  /** One chunk in so many is late by up to `stallMsMax`; 0: none. */
  stallOneIn: number;
  stallMsMax: number;
  /** One connection attempt in so many is refused; 0: none. */
  refuseOneIn: number;
}

export const fairWeather = (): Weather => ({
  latencyMsMin: 0.05,
  latencyMsMax: 1,
  stallOneIn: 0,
  stallMsMax: 0,
  refuseOneIn: 0,
});

interface Listener {
  readonly process: Process;
  readonly accept: (socket: WireEnd<unknown>) => void;
  readonly events: SocketEvents<unknown>;
}

/**
 * The network between processes: streams of bytes with latency, bounded windows, chunks that are
 * cut anywhere, and connections that break. Both ends are like Bun's sockets.
 */
export class Wires {
  weather = fairWeather();
  private readonly listeners = new Map<number, Listener>();
  private readonly open = new Set<Wire>();
  private nextPort = 40_000;
  private nextClientPort = 50_000;

  constructor(readonly prng: Prng) {}

  get openCount(): number {
    return this.open.size;
  }

  /** The sockets of one process. */
  socketsOf(process: Process): Sockets {
    return {
      listen: <Data>({ port, socket }: SocketAddress<Data>) => {
        const bound = port === 0 ? this.nextPort++ : port;
        const events = socket as unknown as SocketEvents<unknown>;
        this.listeners.set(bound, {
          process,
          events,
          accept: (end) => events.open(end),
        });
        return { port: bound, stop: () => void this.listeners.delete(bound) };
      },
      connect: <Data>({ port, socket }: SocketAddress<Data>) =>
        new Promise<unknown>((resolve, reject) => {
          this.connect(process, port, socket as unknown as SocketEvents<unknown>, resolve, reject);
        }),
    };
  }

  /** Breaks one connection, or none where none is open. What was under way is lost. */
  cutOne(): string | null {
    const all = [...this.open];
    if (all.length === 0) return null;
    const wire = this.prng.pick(all);
    wire.break();
    return wire.name;
  }

  /**
   * A process has died: its listeners are gone, and its peers learn of their connections' end after
   * a while, or never where the machine is gone with it (`silent`).
   */
  processDied(process: Process, silent: boolean): void {
    for (const [port, listener] of this.listeners) {
      if (listener.process === process) this.listeners.delete(port);
    }
    for (const wire of [...this.open]) {
      if (wire.near.process !== process && wire.far.process !== process) continue;
      if (silent) this.open.delete(wire);
      else wire.break();
    }
  }

  latencyMs(): number {
    const { prng, weather } = this;
    const span = weather.latencyMsMax - weather.latencyMsMin;
    let delayMs = weather.latencyMsMin + (span * prng.below(1000)) / 1000;
    if (weather.stallOneIn > 0 && prng.chance(1, weather.stallOneIn)) {
      delayMs += prng.below(weather.stallMsMax);
    }
    return delayMs;
  }

  forget(wire: Wire): void {
    this.open.delete(wire);
  }

  private connect(
    process: Process,
    port: number,
    events: SocketEvents<unknown>,
    resolve: (end: unknown) => void,
    reject: (error: Error) => void,
  ): void {
    const { refuseOneIn } = this.weather;
    process.after(this.latencyMs(), () => {
      const listener = this.listeners.get(port);
      const isRefused = refuseOneIn > 0 && this.prng.chance(1, refuseOneIn);
      if (listener === undefined || isRefused || !listener.process.isAlive) {
        reject(Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" }));
        return;
      }
      const wire = new Wire(this, process, events, listener, this.nextClientPort++);
      this.open.add(wire);
      wire.near.tell(() => listener.accept(wire.far));
      events.open(wire.near);
      resolve(wire.near);
    });
  }
}

/** One connection. */
class Wire {
  readonly near: WireEnd<unknown>;
  readonly far: WireEnd<unknown>;
  readonly name: string;
  isBroken = false;

  constructor(
    readonly wires: Wires,
    client: Process,
    events: SocketEvents<unknown>,
    listener: Listener,
    clientPort: number,
  ) {
    this.name = `${client.name}:${clientPort}`;
    this.near = new WireEnd(this, client, events, 0);
    this.far = new WireEnd(this, listener.process, listener.events, clientPort);
    this.near.peer = this.far;
    this.far.peer = this.near;
  }

  /** Both ends learn it, each in its own time. */
  break(): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.wires.forget(this);
    for (const end of [this.near, this.far]) {
      end.process.after(this.wires.latencyMs(), () => end.ended());
    }
  }
}

/** One end of a connection. */
class WireEnd<Data> implements PortableSocket<Data> {
  data = undefined as unknown as Data;
  readonly remoteAddress = "127.0.0.1";
  peer!: WireEnd<unknown>;
  private isClosed = false;
  private isEnding = false;
  private isPaused = false;
  private wasShort = false;
  /** Bytes that were written here and not yet read there. */
  private underWayBytes = 0;
  /** Not before this may the next chunk arrive: streams keep their order. */
  private arrivalMs = 0;
  private readonly inbox: Uint8Array[] = [];

  constructor(
    private readonly wire: Wire,
    readonly process: Process,
    private readonly events: SocketEvents<Data>,
    readonly remotePort: number,
  ) {}

  setNoDelay(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.process.soon(() => this.read());
  }

  write(bytes: Uint8Array): number {
    if (this.isClosed || this.isEnding) return -1;
    const taken = Math.min(bytes.length, WINDOW_BYTES - this.underWayBytes);
    this.wasShort = taken < bytes.length;
    if (taken <= 0) return 0;
    this.underWayBytes += taken;
    const { prng } = this.wire.wires;
    // A stream has no frames: now and then it is cut somewhere.
    const cut = prng.chance(1, 8) ? prng.between(1, taken) : taken;
    this.send(bytes.slice(0, cut));
    if (cut < taken) this.send(bytes.slice(cut, taken));
    return taken;
  }

  end(): void {
    if (this.isClosed || this.isEnding) return;
    this.isEnding = true;
    this.tell(() => this.wire.break());
  }

  terminate(): void {
    if (!this.isClosed) this.wire.break();
  }

  /** The connection is gone, as seen from here. */
  ended(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.inbox.length = 0;
    this.events.close(this);
  }

  /** Plans what happens at the other end, behind everything that it was told before. */
  tell(run: () => void): void {
    const { nowMs } = this.process.time;
    this.arrivalMs = Math.max(this.arrivalMs, nowMs + this.wire.wires.latencyMs());
    this.peer.process.after(this.arrivalMs - nowMs, () => {
      if (!this.wire.isBroken) run();
    });
  }

  private send(chunk: Uint8Array): void {
    this.tell(() => this.peer.arrived(chunk));
  }

  private arrived(chunk: Uint8Array): void {
    if (this.isClosed) return;
    this.inbox.push(chunk);
    this.read();
  }

  private read(): void {
    while (this.inbox.length > 0 && !this.isPaused && !this.isClosed) {
      const chunk = this.inbox.shift() as Uint8Array;
      this.peer.wasRead(chunk.length);
      this.events.data(this, chunk);
    }
  }

  private wasRead(bytes: number): void {
    this.underWayBytes -= bytes;
    if (!this.wasShort || this.isClosed) return;
    this.wasShort = false;
    this.process.soon(() => {
      if (!this.isClosed) this.events.drain(this);
    });
  }
}
