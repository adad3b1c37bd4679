import { assert } from "@mantou/base";
import type {
  ConnectionInfo,
  EventQueue,
  ListenOptions,
  Network,
  NetworkStats,
  PinTable,
  PortableArena,
  Table,
} from "@mantou/io";
import { CloseReason, Event, EventKind, Plan, PlanKind } from "@mantou/io";

/** A frame that the broker owes an answer for. */
export interface SentFrame {
  readonly connection: number;
  readonly generation: number;
  readonly sequence: number;
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  /** Without the length prefix. */
  readonly bytes: Uint8Array;
}

interface OpenConnection {
  readonly generation: number;
  nextSequence: number;
  readonly waiting: Map<number, SentFrame>;
}

/** The engine takes no frame that is shorter than key, version and correlation id. */
export const FRAME_BYTES_MIN = 8;

/**
 * A network without sockets: frames are put into the arena and into the event stream, answers are
 * taken out of the plans. It holds the broker to the contract of plans: a frame is answered once,
 * pins and references balance, sums are right.
 */
export class FuzzNetwork implements Network {
  readonly open = new Map<number, OpenConnection>();
  private readonly generations: number[] = [];
  private listeners = 0;
  frames = 0;
  answered = 0;
  skipped = 0;
  /** Frames whose connection was closed before their answer. */
  dropped = 0;
  closedByBroker = 0;

  constructor(
    private readonly arena: PortableArena,
    private readonly events: EventQueue,
    private readonly pins: PinTable,
    private readonly onAnswer: (frame: SentFrame, response: Uint8Array) => void,
    private readonly onSkip: (frame: SentFrame) => void,
    /** What clients have ready for the moment in which the port opens. */
    private readonly impatient: readonly Uint8Array[] = [],
  ) {}

  get waiting(): number {
    let count = 0;
    for (const connection of this.open.values()) count += connection.waiting.size;
    return count;
  }

  connectClient(): number {
    let slot = 0;
    while (this.open.has(slot)) slot += 1;
    const generation = (this.generations[slot] ?? 0) + 1;
    this.generations[slot] = generation;
    this.open.set(slot, { generation, nextSequence: 0, waiting: new Map() });
    const at = this.events.push(EventKind.OPENED);
    this.events.setWord(at, Event.connection, slot);
    this.events.setWord(at, Event.generation, generation);
    this.events.setWord(at, Event.listenerId, 0);
    return slot;
  }

  /** The peer is gone. */
  disconnect(slot: number): void {
    const connection = this.open.get(slot);
    if (connection !== undefined) this.end(slot, connection, CloseReason.PEER);
  }

  /** Hands a frame to the broker; false where the arena is full. */
  deliver(slot: number, bytes: Uint8Array): boolean {
    const connection = this.open.get(slot);
    assert(connection !== undefined && bytes.length >= FRAME_BYTES_MIN, "a frame of a connection");
    const offset = this.arena.allocate(bytes.length);
    if (offset < 0) return false;
    this.arena.bytes.set(bytes, offset);
    const { view } = this.arena;
    const { generation } = connection;
    const sequence = connection.nextSequence++;
    connection.waiting.set(sequence, {
      connection: slot,
      generation,
      sequence,
      apiKey: view.getInt16(offset),
      version: view.getInt16(offset + 2),
      correlationId: view.getInt32(offset + 4),
      bytes,
    });
    this.frames += 1;
    const at = this.events.push(EventKind.FRAME);
    this.events.setWord(at, Event.connection, slot);
    this.events.setWord(at, Event.generation, generation);
    this.events.setWord(at, Event.frameOffset, offset);
    this.events.setWord(at, Event.frameLength, bytes.length);
    this.events.setWord(at, Event.api, view.getUint32(offset));
    this.events.setWord(at, Event.correlationId, view.getUint32(offset + 4));
    this.events.setWord(at, Event.sequence, sequence);
    return true;
  }

  listen(options: ListenOptions): { readonly host: string; readonly port: number } {
    this.listeners += 1;
    for (const frame of this.impatient) this.deliver(this.connectClient(), frame);
    return {
      host: options.host,
      port: options.port === 0 ? 40_000 + this.listeners : options.port,
    };
  }

  connect(): void {
    assert(false, "a lone broker opens no connections");
  }

  submit(plan: Table, rows: number, bytes: Uint8Array): void {
    for (let row = 0; row < rows; row += 1) {
      const kind = plan.word(row, Plan.kind);
      switch (kind) {
        case PlanKind.RESPOND:
          row = this.respond(plan, row, rows, bytes);
          break;
        case PlanKind.SKIP:
          this.skip(plan, row);
          break;
        case PlanKind.CLOSE:
          this.closeByBroker(plan, row);
          break;
        case PlanKind.RELEASE:
          this.arena.release(plan.word(row, Plan.handle));
          break;
        case PlanKind.RELEASE_PIN:
          this.pins.release(plan.word(row, Plan.handle));
          break;
        default:
          assert(false, `plan kind ${kind}`);
      }
    }
  }

  describe(connection: number, generation: number): ConnectionInfo | null {
    const found = this.open.get(connection);
    if (found === undefined || found.generation !== generation) return null;
    return { listenerId: 0, remoteHost: "127.0.0.1", remotePort: 50_000 + connection };
  }

  stopAccepting(): void {
    this.listeners = 0;
  }

  stats(): NetworkStats {
    return {
      connections: this.open.size,
      acceptedTotal: 0,
      refusedTotal: 0,
      receivedBytesTotal: 0,
      sentBytesTotal: 0,
      memoryWaitsTotal: 0,
      arenaBytesUsed: this.arena.usedBytes,
      arenaBytesTotal: this.arena.totalBytes,
    };
  }

  private find(plan: Table, row: number): OpenConnection | null {
    const found = this.open.get(plan.word(row, Plan.connection));
    const isThis = found?.generation === plan.word(row, Plan.generation);
    return found !== undefined && isThis ? found : null;
  }

  /** Takes a frame off the list of those that wait; it must be there. */
  private settle(connection: OpenConnection, sequence: number): SentFrame {
    const frame = connection.waiting.get(sequence);
    assert(frame !== undefined, `frame ${sequence} was answered twice, or never came`);
    connection.waiting.delete(sequence);
    return frame;
  }

  private respond(plan: Table, row: number, rows: number, bytes: Uint8Array): number {
    const last = row + plan.word(row, Plan.segmentCount);
    assert(last < rows, "segment rows are missing");
    const connection = this.find(plan, row);
    const response = new Uint8Array(plan.word(row, Plan.totalBytes));
    let at = 0;
    for (let segment = row + 1; segment <= last; segment += 1) {
      at += this.takeSegment(plan, segment, bytes, response, at);
    }
    assert(at === response.length, "totalBytes is not the sum of the segments");
    if (connection === null) return last;
    const frame = this.settle(connection, plan.word(row, Plan.sequence));
    this.answered += 1;
    this.onAnswer(frame, response);
    return last;
  }

  private takeSegment(
    plan: Table,
    row: number,
    bytes: Uint8Array,
    response: Uint8Array,
    at: number,
  ): number {
    if (plan.word(row, Plan.kind) === PlanKind.SEGMENT_BYTES) {
      const offset = plan.word(row, Plan.byteOffset);
      const length = plan.word(row, Plan.byteLength);
      assert(offset + length <= bytes.length, "segment range");
      response.set(bytes.subarray(offset, offset + length), at);
      return length;
    }
    assert(plan.word(row, Plan.kind) === PlanKind.SEGMENT_FILE, "segment kind");
    const pin = plan.word(row, Plan.pin);
    const length = plan.word(row, Plan.fileLength);
    this.pins.copy(pin, plan.double(row, Plan.filePositionF64), length, response, at);
    this.pins.release(pin);
    return length;
  }

  private skip(plan: Table, row: number): void {
    const connection = this.find(plan, row);
    if (connection === null) return;
    this.skipped += 1;
    this.onSkip(this.settle(connection, plan.word(row, Plan.sequence)));
  }

  private closeByBroker(plan: Table, row: number): void {
    const connection = this.find(plan, row);
    if (connection === null) return;
    this.closedByBroker += 1;
    this.end(plan.word(row, Plan.connection), connection, CloseReason.REQUESTED);
  }

  private end(slot: number, connection: OpenConnection, reason: number): void {
    this.dropped += connection.waiting.size;
    this.open.delete(slot);
    const at = this.events.push(EventKind.CLOSED);
    this.events.setWord(at, Event.connection, slot);
    this.events.setWord(at, Event.generation, connection.generation);
    this.events.setWord(at, Event.reason, reason);
  }
}
