import { CloseReason, Event, EventKind } from "../layout.ts";
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
import { Connection, type ConnectionHost } from "./connection.ts";
import type { EventQueue } from "./events.ts";
import type { PinTable } from "./pins.ts";
import { type PlanHost, PlanRunner } from "./plan-runner.ts";
import type { Scheduler } from "./scheduler.ts";
import { errorCode, errorNumber, plainAddress } from "./socket-words.ts";
import { type PortableSocket, type Sockets, systemSockets } from "./sockets.ts";

/** An outbound peer is one of our own brokers; its answers are bounded by what we asked for. */
const OUTBOUND_FRAME_BYTES_MAX = 0x7fff_ffff;

/** `Network` on Bun's sockets: copies bytes that the native engine would leave in place. */
export class PortableNetwork implements Network, ConnectionHost, PlanHost {
  private readonly slots: (Connection | null)[] = [];
  private readonly generations: number[] = [];
  private readonly freeSlots: number[] = [];
  private readonly listeners: ReturnType<Sockets["listen"]>[] = [];
  private readonly perHost = new Map<string, number>();
  private roomWaiters: Connection[] = [];
  private readonly plans: PlanRunner;
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
    pins: PinTable,
    private readonly options: NetworkOptions,
    private readonly scheduler: Scheduler,
    private readonly sockets: Sockets = systemSockets,
  ) {
    this.plans = new PlanRunner(this, arena, pins, scheduler);
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
      const listener = this.sockets.listen<Connection>({
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
    this.sockets
      .connect<Connection>({
        hostname: host,
        port,
        socket: {
          ...this.handlers(),
          open: (socket) => settle(() => this.connected(socket, connectId)),
          connectError: (_socket, error) => settle(() => failed(error)),
        },
      })
      .catch((error: unknown) => settle(() => failed(error)));
  }

  submit(plan: Table, rows: number, bytes: Uint8Array): void {
    this.plans.carryOut(plan, rows, bytes);
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
      memoryWaitsTotal: this.arena.waitsTotal,
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
      data: (socket: PortableSocket<Connection>, chunk: Uint8Array) => {
        const connection = socket.data;
        if (connection === undefined || connection.closed) return;
        this.receivedBytesTotal += chunk.length;
        connection.lastActiveMs = this.scheduler.nowMs();
        connection.received(chunk);
      },
      drain: (socket: PortableSocket<Connection>) => {
        if (socket.data !== undefined) this.flush(socket.data);
      },
      close: (socket: PortableSocket<Connection>, error?: Error) => {
        if (socket.data === undefined) return;
        this.ended(socket.data, error === undefined ? CloseReason.PEER : CloseReason.IO);
      },
      error: (socket: PortableSocket<Connection>) => {
        if (socket.data !== undefined) this.terminate(socket.data, CloseReason.IO);
      },
    };
  }

  private accepted(socket: PortableSocket<Connection>, options: ListenOptions): void {
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

  private connected(socket: PortableSocket<Connection>, connectId: number): void {
    this.adopt(socket, EventKind.CONNECTED, false, connectId, OUTBOUND_FRAME_BYTES_MAX);
  }

  private adopt(
    socket: PortableSocket<Connection>,
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

  find(slot: number, generation: number): Connection | null {
    const connection = this.slots[slot] ?? null;
    return connection !== null && connection.generation === generation ? connection : null;
  }

  /** Sends what is ready; a connection that was to be closed goes when nothing is left. */
  flush(connection: Connection): void {
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
