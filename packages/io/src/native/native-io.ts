import { assert } from "@mantou/base";
import { EVENT_WORDS } from "../layout.ts";
import { ARENA_BYTES, type IoOptions, networkOptions, reportToStderr } from "../options.ts";
import type { Arena, Io, LogStore, Network } from "../ports.ts";
import { Table } from "../table.ts";
import { type Addon, loadAddon } from "./addon.ts";
import { NativeLogStore } from "./native-log-store.ts";
import { NativeNetwork } from "./native-network.ts";
import { Requests } from "./requests.ts";

/** Set in the result of the addon's `drain` when completions wait to be fetched. */
const HAS_COMPLETIONS = 2 ** 31;
/** The longest interval that a timer takes; it only keeps the process alive. */
const FOREVER_MS = 2 ** 31 - 1;

class NativeArena implements Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(
    private readonly addon: Addon,
    private readonly engine: number,
    readonly buffer: ArrayBuffer,
  ) {
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  allocate(length: number): number {
    return this.addon.arenaAllocate(this.engine, length);
  }

  release(offset: number): void {
    this.addon.arenaRelease(this.engine, offset);
  }
}

class NativeIo implements Io {
  readonly kind = "native";
  readonly arena: Arena;
  readonly network: Network;
  readonly logs: LogStore;
  private readonly engine: number;
  private readonly requests: Requests;
  private bell: (() => void) | null = null;
  private hasRung = false;
  private closing: Promise<void> | null = null;
  /** The addon's own threads keep no process alive, and neither does its doorbell. */
  private readonly alive = setInterval(() => {}, FOREVER_MS);

  constructor(
    private readonly addon: Addon,
    options: IoOptions,
  ) {
    const arenaBytes = options.arenaBytes ?? ARENA_BYTES;
    const limits = networkOptions(options.network);
    this.engine = addon.create({ arenaBytes, ...limits }, () => this.ring());
    this.requests = new Requests(addon, this.engine, options.report ?? reportToStderr);
    this.arena = new NativeArena(addon, this.engine, addon.arenaBuffer(this.engine));
    this.network = new NativeNetwork(addon, this.engine);
    this.logs = new NativeLogStore(addon, this.engine, this.requests);
  }

  onEvents(bell: () => void): void {
    this.bell = bell;
    if (this.hasRung) setImmediate(() => this.ring());
  }

  drain(events: Table): number {
    assert(events.rowWords === EVENT_WORDS, "event table");
    const result = this.addon.drain(this.engine, events.words);
    if (result < HAS_COMPLETIONS) return result;
    this.requests.settle();
    return result - HAS_COMPLETIONS;
  }

  soon(call: () => void): void {
    setImmediate(call);
  }

  close(): Promise<void> {
    if (this.closing === null) {
      // Nobody reads events any more, but the calls below are settled by them.
      const unread = new Table(EVENT_WORDS, 256);
      this.bell = () => {
        while (this.drain(unread) === unread.capacity);
      };
      this.closing = this.stop();
      this.bell();
    }
    return this.closing;
  }

  private async stop(): Promise<void> {
    try {
      await this.requests.start(
        (request) => this.addon.stopNetwork(this.engine, request),
        () => undefined,
      );
      await this.logs.close();
    } finally {
      clearInterval(this.alive);
    }
  }

  private ring(): void {
    if (this.bell === null) this.hasRung = true;
    else this.bell();
  }
}

/**
 * Opens the engine of the addon: reactor and disk threads. Throws IoError NO_ADDON where the
 * addon is missing or of another version.
 */
export function openNativeIo(options: IoOptions = {}): Io {
  return new NativeIo(loadAddon(), options);
}
