import { assert } from "@mantou/base";
import { CloseReason, PLAN_WORDS, Plan, PlanKind } from "../layout.ts";
import type { Table } from "../table.ts";
import type { PortableArena } from "./arena.ts";
import { type Connection, Pause } from "./connection.ts";
import type { PinTable } from "./pins.ts";
import type { Scheduler } from "./scheduler.ts";

const SIZE_PREFIX_BYTES = 4;

/** What plans need of the network that they run on. */
export interface PlanHost {
  find(slot: number, generation: number): Connection | null;
  /** Sends what is ready, once per connection and plan. */
  flush(connection: Connection): void;
}

/** Carries out plan rows. See `Network.submit`. */
export class PlanRunner {
  private readonly dirty = new Set<Connection>();

  constructor(
    private readonly host: PlanHost,
    private readonly arena: PortableArena,
    private readonly pins: PinTable,
    private readonly scheduler: Scheduler,
  ) {}

  carryOut(plan: Table, rows: number, bytes: Uint8Array): void {
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
    for (const connection of this.dirty) this.host.flush(connection);
    this.dirty.clear();
  }

  /** Carries out one RESPOND or SEND with its segments; returns the last row it used. */
  private sendRows(plan: Table, row: number, rows: number, bytes: Uint8Array): number {
    const segments = plan.word(row, Plan.segmentCount);
    const last = row + segments;
    assert(last < rows, "segment rows are missing");
    const found = this.host.find(plan.word(row, Plan.connection), plan.word(row, Plan.generation));
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
    const connection = this.host.find(
      plan.word(row, Plan.connection),
      plan.word(row, Plan.generation),
    );
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
}
