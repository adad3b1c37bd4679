import type { Codecs } from "@mantou/protocol";
import { ARENA_BYTES, type IoOptions, networkOptions } from "../options.ts";
import type { Arena, Io, LogStore, Network } from "../ports.ts";
import type { Table } from "../table.ts";
import { PortableArena } from "./arena.ts";
import { EventQueue } from "./events.ts";
import { PortableLogStore } from "./log-store.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { PortableNetwork } from "./network.ts";
import { PinTable } from "./pins.ts";
import { type Scheduler, eventLoopScheduler } from "./scheduler.ts";
import { type Sockets, systemSockets } from "./sockets.ts";

export interface PortableIoOptions extends IoOptions {
  /** Disks that outlive this engine. Default: fresh ones. */
  readonly disk?: MemoryDisk;
  /** How time passes. Default: the event loop. */
  readonly scheduler?: Scheduler;
  /** How time passes for disks, where it is another one. Default: `scheduler`. */
  readonly diskScheduler?: Scheduler;
  /** Where sockets come from. Default: the system. */
  readonly sockets?: Sockets;
  /** What may be inflated. Without a codec its batches are judged by framing and header only. */
  readonly codecs?: Codecs;
}

/** The pieces of a portable engine, for those who replace one of them (the simulator). */
export interface PortableIo extends Io {
  readonly kind: "portable";
  readonly disk: MemoryDisk;
  readonly pins: PinTable;
  readonly events: EventQueue;
}

class OpenPortableIo implements PortableIo {
  readonly kind = "portable";
  private closing: Promise<void> | null = null;

  constructor(
    readonly arena: Arena,
    private readonly sockets: PortableNetwork,
    private readonly scheduler: Scheduler,
    readonly logs: LogStore,
    readonly disk: MemoryDisk,
    readonly pins: PinTable,
    readonly events: EventQueue,
  ) {}

  get network(): Network {
    return this.sockets;
  }

  onEvents(bell: () => void): void {
    this.events.onEvents(bell);
  }

  drain(events: Table): number {
    return this.events.drain(events);
  }

  soon(call: () => void): void {
    this.scheduler.soon(call);
  }

  close(): Promise<void> {
    if (this.closing === null) {
      this.sockets.close();
      this.events.discard();
      this.closing = this.logs.close().then(() => this.pins.clear());
    }
    return this.closing;
  }
}

/** Opens an engine of Bun sockets and logs in memory. Nothing survives but its `disk`. */
export function openPortableIo(options: PortableIoOptions = {}): PortableIo {
  const scheduler = options.scheduler ?? eventLoopScheduler;
  const disk = options.disk ?? new MemoryDisk();
  const arena = new PortableArena(options.arenaBytes ?? ARENA_BYTES);
  const events = new EventQueue(scheduler);
  const pins = new PinTable();
  const limits = networkOptions(options.network);
  const sockets = options.sockets ?? systemSockets;
  const network = new PortableNetwork(arena, events, pins, limits, scheduler, sockets);
  const diskScheduler = options.diskScheduler ?? scheduler;
  const codecs = options.codecs ?? {};
  const logs = new PortableLogStore(arena, events, pins, disk, diskScheduler, codecs);
  return new OpenPortableIo(arena, network, scheduler, logs, disk, pins, events);
}
