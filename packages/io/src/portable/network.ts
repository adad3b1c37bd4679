import { constants } from "node:os";
import { assert } from "@mantou/base";
import type { Socket, TCPSocketListener } from "bun";
import { CloseReason, Event, EventKind, PLAN_WORDS, Plan, PlanKind } from "../layout.ts";
import {
  type ConnectionInfo,
  IoError,
  type ListenOptions,
  type Network,
  type NetworkOptions,
  type NetworkStats,
} from "../ports.ts";
import type { Table } from "../table.ts";
import type { PortableArena } from "./arena.ts";
import { Connection, type ConnectionHost, Pause } from "./connection.ts";
import type { EventQueue } from "./events.ts";
import type { PinTable } from "./pins.ts";
import type { Scheduler } from "./scheduler.ts";

const SIZE_PREFIX_BYTES = 4;
/** An outbound peer is one of our own brokers; its answers are bounded by what we asked for. */
const OUTBOUND_FRAME_BYTES_MAX = 0x7fff_ffff;

/** `Network` on Bun's sockets: copies bytes that the native engine would leave in place. */
export class PortableNetwork implements Network, ConnectionHost {
  private readonly slots: (Connection | null)[] = [];
  private readonly generations: number[] = [];
  private readonly freeSlots: number[] = [];
  private readonly listeners: TCPSocketListener<Connection>[] = [];
  private readonly perHost = new Map<string, number>();
  private roomWaiters: Connection[] = [];
  private readonly dirty = new Set<Connection>();
  private cancelSweep: (() => void) | null = null;
  private connections = 0;
  private acceptedTotal = 0;
  private refusedTotal = 0;
  private receivedBytesTotal = 0;
  private sentBytesTotal = 0;
  private isClosed = false;

  constructor(
    readonly arena: PortableArena,
    private readonly events: EventQueue,
    private readonly pins: PinTable,
    private readonly options: NetworkOptions,
    private readonly scheduler: Scheduler,
  ) {
    arena.onRoom = () => this.serveRoomWaiters();
    this.scheduleSweep();
  }

  get connectionQuotaBytes(): number {
    return this.options.connectionQuotaBytes;
  }

  get outputQuotaBytes(): number {
    return this.options.outputQuotaBytes;
  }

  listen(options: ListenOptions): { readonly host: string; readonly port: number } {
    try {
      const listener = Bun.listen<Connection>({
        hostname: options.host,
        port: options.port,
        socket: {
          ...this.handlers(),
          open: (socket) => this.accepted(socket, options),
        },
      });
      this.listeners.push(listener);
      return { host: options.host, port: listener.port };
    } catch (error) {
      const code = errorCode(error);
      throw new IoError(code, `cannot listen on ${options.host}:${options.port}: ${code}`);
    }
  }

  connect(host: string, port: number, connectId: number): void {
    const failed = (error: unknown): void => {
      const at = this.events.push(EventKind.CONNECT_FAILED);
      this.events.setWord(at, Event.listenerId, connectId);
      this.events.setWord(at, Event.reason, errorNumber(error));
    };
    let isSettled = false;
    const settle = (run: () => void): void => {
      if (isSettled || this.isClosed) return;
      isSettled = true;
      run();
    };
    Bun.connect<Connection>({
      hostname: host,
      port,
      socket: {
        ...this.handlers(),
        open: (socket) => settle(() => this.connected(socket, connectId)),
        connectError: (_socket, error) => settle(() => failed(error)),
      },
    }).catch((error: unknown) => settle(() => failed(error)));
  }

  submit(plan: Table, rows: number, bytes: Uint8Array): void {
    assert(plan.rowWords === PLAN_WORDS && rows <= plan.capacity, "plan table");
    for (let row = 0; row < rows; row++) {
      const kind = plan.word(row, Plan.kind);
      switch (kind) {
        case PlanKind.RESPOND:
        case PlanKind.SEND:
          row = this.sendRows(plan, row, rows, bytes);
          break;
        case PlanKind.RELEASE:
          this.arena.release(plan.word(row, Plan.handle));
          break;
        case PlanKind.RELEASE_PIN:
          this.pins.release(plan.word(row, Plan.handle));
          break;
        default:
          this.control(kind, plan, row);
      }
    }
    for (const connection of this.dirty) this.flush(connection);
    this.dirty.clear();
  }

  describe(slot: number, generation: number): ConnectionInfo | null {
    const connection = this.find(slot, generation);
    const socket = connection?.socket ?? null;
    if (connection === null || socket === null) return null;
    return {
      listenerId: connection.originId,
      remoteHost: plainAddress(socket.remoteAddress),
      remotePort: socket.remotePort,
    };
  }

  stopAccepting(): void {
    for (const listener of this.listeners.splice(0)) listener.stop(false);
  }

  stats(): NetworkStats {
    return {
      connections: this.connections,
      acceptedTotal: this.acceptedTotal,
      refusedTotal: this.refusedTotal,
      receivedBytesTotal: this.receivedBytesTotal,
      sentBytesTotal: this.sentBytesTotal,
      arenaBytesUsed: this.arena.usedBytes,
      arenaBytesTotal: this.arena.totalBytes,
    };
  }

  /** Closes every socket at once. */
  close(): void {
    this.stopAccepting();
    this.isClosed = true;
    this.cancelSweep?.();
    for (const connection of this.slots) {
      if (connection !== null) this.terminate(connection, CloseReason.SHUTDOWN);
    }
  }

  frameArrived(connection: Connection, offset: number, length: number): void {
    const { view } = this.arena;
    const at = this.events.push(EventKind.FRAME);
    this.events.setWord(at, Event.connection, connection.slot);
    this.events.setWord(at, Event.generation, connection.generation);
    this.events.setWord(at, Event.frameOffset, offset);
    this.events.setWord(at, Event.frameLength, length);
    if (!connection.isInbound) {
      this.events.setWord(at, Event.correlationId, view.getUint32(offset));
      return;
    }
    this.events.setWord(at, Event.api, view.getUint32(offset));
    this.events.setWord(at, Event.correlationId, view.getUint32(offset + 4));
    this.events.setWord(at, Event.sequence, connection.nextFrame);
    connection.nextFrame = (connection.nextFrame + 1) >>> 0;
  }

  frameRefused(connection: Connection, reason: "FRAME_TOO_LARGE" | "FRAME_INVALID"): void {
    this.terminate(connection, CloseReason[reason]);
  }

  waitForRoom(connection: Connection): void {
    this.roomWaiters.push(connection);
  }

  private handlers() {
    return {
      data: (socket: Socket<Connection>, chunk: Uint8Array) => {
        const connection = socket.data;
        if (connection === undefined || connection.closed) return;
        this.receivedBytesTotal += chunk.length;
        connection.lastActiveMs = this.scheduler.nowMs();
        connection.received(chunk);
      },
      drain: (socket: Socket<Connection>) => {
        if (socket.data !== undefined) this.flush(socket.data);
      },
      close: (socket: Socket<Connection>, error?: Error) => {
        if (socket.data === undefined) return;
        this.ended(socket.data, error === undefined ? CloseReason.PEER : CloseReason.IO);
      },
      error: (socket: Socket<Connection>) => {
        if (socket.data !== undefined) this.terminate(socket.data, CloseReason.IO);
      },
    };
  }

  private accepted(socket: Socket<Connection>, options: ListenOptions): void {
    const host = socket.remoteAddress;
    const sameHost = this.perHost.get(host) ?? 0;
    const { connectionsMax, connectionsPerIpMax } = this.options;
    if (this.connections >= connectionsMax || sameHost >= connectionsPerIpMax || this.isClosed) {
      this.refusedTotal += 1;
      socket.terminate();
      return;
    }
    this.acceptedTotal += 1;
    this.perHost.set(host, sameHost + 1);
    this.adopt(socket, EventKind.OPENED, true, options.listenerId, options.frameBytesMax);
  }

  private connected(socket: Socket<Connection>, connectId: number): void {
    this.adopt(socket, EventKind.CONNECTED, false, connectId, OUTBOUND_FRAME_BYTES_MAX);
  }

  private adopt(
    socket: Socket<Connection>,
    kind: number,
    isInbound: boolean,
    originId: number,
    frameBytesMax: number,
  ): void {
    const slot = this.freeSlots.pop() ?? this.slots.length;
    const generation = ((this.generations[slot] ?? 0) + 1) >>> 0;
    this.generations[slot] = generation;
    const connection = new Connection(this, slot, generation, isInbound, originId, frameBytesMax);
    this.slots[slot] = connection;
    this.connections += 1;
    connection.socket = socket;
    connection.lastActiveMs = this.scheduler.nowMs();
    socket.data = connection;
    socket.setNoDelay(true);
    const at = this.events.push(kind);
    this.events.setWord(at, Event.connection, slot);
    this.events.setWord(at, Event.generation, generation);
    this.events.setWord(at, Event.listenerId, originId);
  }

  private find(slot: number, generation: number): Connection | null {
    const connection = this.slots[slot] ?? null;
    return connection !== null && connection.generation === generation ? connection : null;
  }

  /** Carries out one RESPOND or SEND with its segments; returns the last row it used. */
  private sendRows(plan: Table, row: number, rows: number, bytes: Uint8Array): number {
    const segments = plan.word(row, Plan.segmentCount);
    const last = row + segments;
    assert(last < rows, "segment rows are missing");
    const found = this.find(plan.word(row, Plan.connection), plan.word(row, Plan.generation));
    const connection = found !== null && found.closeReason === null ? found : null;
    const totalBytes = plan.word(row, Plan.totalBytes);
    const message = connection === null ? null : new Uint8Array(SIZE_PREFIX_BYTES + totalBytes);
    let at = SIZE_PREFIX_BYTES;
    for (let segment = row + 1; segment <= last; segment++) {
      at += this.takeSegment(plan, segment, bytes, message, at);
    }
    if (connection === null || message === null) return last;
    assert(at === message.length, "totalBytes is not the sum of the segments");
    new DataView(message.buffer).setUint32(0, totalBytes);
    if (plan.word(row, Plan.kind) === PlanKind.SEND) {
      connection.enqueue(message);
    } else {
      const taken = connection.respond(plan.word(row, Plan.sequence), message);
      assert(taken, "a frame was answered twice, or never came");
    }
    this.dirty.add(connection);
    return last;
  }

  /** Copies one segment into the message (if anybody wants it) and gives up its pin. */
  private takeSegment(
    plan: Table,
    row: number,
    bytes: Uint8Array,
    message: Uint8Array | null,
    at: number,
  ): number {
    if (plan.word(row, Plan.kind) === PlanKind.SEGMENT_BYTES) {
      const offset = plan.word(row, Plan.byteOffset);
      const length = plan.word(row, Plan.byteLength);
      assert(offset + length <= bytes.length, "segment range");
      message?.set(bytes.subarray(offset, offset + length), at);
      return length;
    }
    assert(plan.word(row, Plan.kind) === PlanKind.SEGMENT_FILE, "segment kind");
    const pin = plan.word(row, Plan.pin);
    const length = plan.word(row, Plan.fileLength);
    const position = plan.double(row, Plan.filePositionF64);
    if (message !== null) this.pins.copy(pin, position, length, message, at);
    this.pins.release(pin);
    return length;
  }

  private control(kind: number, plan: Table, row: number): void {
    const connection = this.find(plan.word(row, Plan.connection), plan.word(row, Plan.generation));
    if (connection === null || connection.closeReason !== null) return;
    const amount = plan.word(row, Plan.amount);
    switch (kind) {
      case PlanKind.SKIP: {
        const taken = connection.respond(plan.word(row, Plan.sequence), null);
        assert(taken, "a frame was answered twice, or never came");
        this.dirty.add(connection);
        return;
      }
      case PlanKind.CLOSE:
        connection.closeReason = CloseReason.REQUESTED;
        connection.pause(Pause.CLOSING);
        this.dirty.add(connection);
        return;
      case PlanKind.MUTE:
        this.mute(connection, amount);
        return;
      case PlanKind.FRAME_LIMIT:
        connection.frameBytesMax = amount;
        return;
      default:
        assert(false, `plan kind ${kind}`);
    }
  }

  private mute(connection: Connection, forMs: number): void {
    connection.unmute?.();
    connection.pause(Pause.MUTE);
    connection.unmute = this.scheduler.after(forMs, () => {
      connection.unmute = null;
      connection.unpause(Pause.MUTE);
    });
  }

  /** Sends what is ready; a connection that was to be closed goes when nothing is left. */
  private flush(connection: Connection): void {
    if (connection.closed) return;
    const sent = connection.flush();
    if (sent > 0) {
      this.sentBytesTotal += sent;
      connection.lastActiveMs = this.scheduler.nowMs();
    }
    if (connection.closeReason !== null && connection.queuedOutputBytes === 0) {
      connection.socket?.end();
      this.ended(connection, connection.closeReason);
    }
  }

  private terminate(connection: Connection, reason: number): void {
    if (connection.closed) return;
    const { socket } = connection;
    this.ended(connection, connection.closeReason ?? reason);
    socket?.terminate();
  }

  /** The one place where a connection ends: its slot is free and CLOSED is told. */
  private ended(connection: Connection, reason: number): void {
    if (connection.closed) return;
    const host = connection.socket?.remoteAddress ?? "";
    connection.abandon();
    this.dirty.delete(connection);
    this.slots[connection.slot] = null;
    this.freeSlots.push(connection.slot);
    this.connections -= 1;
    if (connection.isInbound) {
      const left = (this.perHost.get(host) ?? 1) - 1;
      if (left <= 0) this.perHost.delete(host);
      else this.perHost.set(host, left);
    }
    const at = this.events.push(EventKind.CLOSED);
    this.events.setWord(at, Event.connection, connection.slot);
    this.events.setWord(at, Event.generation, connection.generation);
    this.events.setWord(at, Event.reason, connection.closeReason ?? reason);
  }

  private serveRoomWaiters(): void {
    if (this.roomWaiters.length === 0) return;
    const waiters = this.roomWaiters;
    this.roomWaiters = [];
    for (const connection of waiters) connection.roomMade();
  }

  private scheduleSweep(): void {
    const { idleTimeoutMs } = this.options;
    if (idleTimeoutMs <= 0 || this.isClosed) return;
    const periodMs = Math.max(10, Math.min(1_000, idleTimeoutMs / 4));
    this.cancelSweep = this.scheduler.after(periodMs, () => {
      const deadline = this.scheduler.nowMs() - idleTimeoutMs;
      for (const connection of this.slots) {
        if (connection === null || connection.lastActiveMs > deadline) continue;
        this.terminate(connection, CloseReason.IDLE);
      }
      this.scheduleSweep();
    });
  }
}

/** IPv4 addresses that arrived on an IPv6 socket are shown as IPv4. */
const plainAddress = (address: string): string =>
  address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? code : "EIO";
}

function errorNumber(error: unknown): number {
  const { errno } = constants as { errno: Readonly<Record<string, number>> };
  return errno[errorCode(error)] ?? errno["EIO"] ?? 5;
}
