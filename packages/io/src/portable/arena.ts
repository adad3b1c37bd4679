import { assert } from "@mantou/base";
import type { Arena } from "../ports.ts";

/** Whoever is charged for a run until its last reference goes. */
export interface RunOwner {
  runFreed(bytes: number): void;
}

const UNIT_BYTES = 1024;
const FREE = 0xffff_ffff;

/**
 * An arena in ordinary memory. A run is a number of units behind each other with a reference
 * count; every frame has a run of its own. Allocation takes the lowest gap that fits, so that a
 * quiet process touches few pages.
 */
export class PortableArena implements Arena {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Called when a run has become free, for those that wait for room. */
  onRoom: (() => void) | null = null;

  private readonly units: number;
  /** Unit -> first unit of its run. */
  private readonly first: Uint32Array;
  /** The rest is indexed by a run's first unit. */
  private readonly runUnits: Uint32Array;
  private readonly references: Uint32Array;
  private readonly lengths: Uint32Array;
  private readonly owners: (RunOwner | null)[];
  private lowestFree = 0;
  private usedUnits = 0;

  constructor(arenaBytes: number) {
    this.units = Math.floor(arenaBytes / UNIT_BYTES);
    assert(this.units > 0 && arenaBytes < 2 ** 32, "arena size");
    this.buffer = new ArrayBuffer(this.units * UNIT_BYTES);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.first = new Uint32Array(this.units).fill(FREE);
    this.runUnits = new Uint32Array(this.units);
    this.references = new Uint32Array(this.units);
    this.lengths = new Uint32Array(this.units);
    this.owners = new Array<RunOwner | null>(this.units).fill(null);
  }

  get totalBytes(): number {
    return this.units * UNIT_BYTES;
  }

  /** Times that there was no room. */
  waitsTotal = 0;

  get usedBytes(): number {
    return this.usedUnits * UNIT_BYTES;
  }

  allocate(length: number): number {
    return this.allocateFor(length, null);
  }

  /** {@link allocate} with somebody to charge. */
  allocateFor(length: number, owner: RunOwner | null): number {
    const need = Math.max(1, Math.ceil(length / UNIT_BYTES));
    const start = this.findGap(need);
    if (start < 0) {
      this.waitsTotal += 1;
      return -1;
    }
    this.first.fill(start, start, start + need);
    this.runUnits[start] = need;
    this.references[start] = 1;
    this.lengths[start] = length;
    this.owners[start] = owner;
    this.usedUnits += need;
    return start * UNIT_BYTES;
  }

  /** Adds one reference to the run that holds `offset`. */
  retain(offset: number): void {
    const run = this.runOf(offset);
    this.references[run] = (this.references[run] as number) + 1;
  }

  release(offset: number): void {
    const run = this.runOf(offset);
    const left = (this.references[run] as number) - 1;
    this.references[run] = left;
    if (left > 0) return;
    const units = this.runUnits[run] as number;
    this.first.fill(FREE, run, run + units);
    this.usedUnits -= units;
    if (run < this.lowestFree) this.lowestFree = run;
    const owner = this.owners[run] as RunOwner | null;
    this.owners[run] = null;
    if (owner !== null) owner.runFreed(this.lengths[run] as number);
    if (this.onRoom !== null) this.onRoom();
  }

  private runOf(offset: number): number {
    const unit = Math.floor(offset / UNIT_BYTES);
    const run = unit < this.units ? (this.first[unit] as number) : FREE;
    assert(run !== FREE, `arena offset ${offset} is in no live run`);
    return run;
  }

  private findGap(need: number): number {
    let unit = this.lowestFree;
    let gap = 0;
    let lowest = -1;
    while (unit < this.units) {
      const run = this.first[unit] as number;
      if (run !== FREE) {
        unit = run + (this.runUnits[run] as number);
        gap = 0;
        continue;
      }
      if (lowest < 0) lowest = unit;
      gap += 1;
      unit += 1;
      if (gap === need) {
        const start = unit - need;
        this.lowestFree = start === lowest ? unit : lowest;
        return start;
      }
    }
    if (lowest >= 0) this.lowestFree = lowest;
    return -1;
  }
}
