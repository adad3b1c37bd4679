import { assert } from "@mantou/base";
import { Event, EventKind, LOCATE_WORDS, Locate, LocateCode, StoreCode } from "../layout.ts";
import type { StoreStats } from "../ports.ts";
import type { Table } from "../table.ts";
import type { EventQueue } from "./events.ts";
import type { LogWorker } from "./log-worker.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import type { Located } from "./memory-log.ts";
import type { PinTable } from "./pins.ts";
import type { Scheduler } from "./scheduler.ts";

/** Answers locate rows: at once, or later where the disk is told to be cold. */
export class LogLocator {
  private locatesTotal = 0;
  private missesTotal = 0;

  constructor(
    private readonly worker: LogWorker,
    private readonly events: EventQueue,
    private readonly pins: PinTable,
    private readonly disk: MemoryDisk,
    private readonly scheduler: Scheduler,
  ) {}

  /** See `LogStore.locate`. */
  locate(table: Table, rows: number): void {
    assert(table.rowWords === LOCATE_WORDS && rows <= table.capacity, "locate table");
    this.locatesTotal += rows;
    for (let row = 0; row < rows; row++) {
      const id = table.word(row, Locate.logId);
      const tag = table.word(row, Locate.tag);
      const found = this.find(id, table, row);
      if (this.disk.pendLocates) {
        this.missesTotal += 1;
        table.setWord(row, Locate.code, LocateCode.PENDING);
        this.scheduler.soon(() => this.report(id, tag, found));
        continue;
      }
      table.setWord(row, Locate.code, found.code);
      table.setWord(row, Locate.length, found.length);
      table.setDouble(row, Locate.positionF64, found.position);
      table.setWord(row, Locate.pin, this.pinOf(found));
    }
  }

  stats(): Pick<StoreStats, "locatesTotal" | "pageCacheMissesTotal"> {
    return { locatesTotal: this.locatesTotal, pageCacheMissesTotal: this.missesTotal };
  }

  private find(id: number, table: Table, row: number): Located {
    const log = this.worker.logs.get(id);
    if (log === undefined || log.failure !== StoreCode.OK) {
      return { code: LocateCode.UNAVAILABLE, position: 0, length: 0, batches: [] };
    }
    return log.data.locate(
      table.double(row, Locate.offsetF64),
      table.double(row, Locate.limitF64),
      table.word(row, Locate.bytesMax),
      table.word(row, Locate.flags),
    );
  }

  private pinOf(found: Located): number {
    return found.length === 0 ? 0 : this.pins.add(found.position, found.batches);
  }

  private report(id: number, tag: number, found: Located): void {
    if (this.worker.dead) return;
    const at = this.events.push(EventKind.LOCATED);
    this.events.setWord(at, Event.logId, id);
    this.events.setWord(at, Event.code, found.code);
    this.events.setWord(at, Event.tag, tag);
    this.events.setDouble(at, Event.offsetF64, found.position);
    this.events.setWord(at, Event.pin, this.pinOf(found));
    this.events.setWord(at, Event.length, found.length);
  }
}
