import type { MemoryLog } from "./memory-log.ts";

/** What one data directory holds. */
export interface MemoryDirectory {
  readonly directoryId: string;
  clusterId: string | null;
  nodeId: number | null;
  clean: boolean;
  /** By `<topic>-<partition>`, like the directories of a real store. */
  readonly logs: Map<string, MemoryLog>;
  readonly files: Map<string, Uint8Array>;
}

/** A store that has a directory open. */
export interface DiskTenant {
  /** The process is gone: answer nothing more. */
  crashed(): void;
  /** Flushes or writes that were held may go on, or space has changed. */
  diskChanged(): void;
}

/** A directory, and what a crash takes from one of its logs. */
export interface Survivors {
  /**
   * How many of the batches that were written but never flushed outlive the crash: 0 to `count`.
   * A disk may keep any prefix.
   */
  (log: MemoryLog, count: number): number;
}

const keepNothing: Survivors = () => 0;

/**
 * Disks in memory, which outlive the engines that open them: a test closes or crashes one engine
 * and opens the next on the same disk. Its switches make the faults of a real disk happen.
 */
export class MemoryDisk {
  /** Bytes that fit on the volume. A write beyond them fails. */
  capacityBytes = 2 ** 40;
  /** The next writes fail; their log goes offline. */
  failWrites = false;
  /** The next flushes fail, which is fatal for the data directory. */
  failFlushes = false;
  /** Locate answers PENDING and completes later, as if the page cache were cold. */
  pendLocates = false;

  private readonly directories = new Map<string, MemoryDirectory>();
  private readonly tenants = new Map<string, DiskTenant>();
  private flushesAreHeld = false;
  private nextDirectory = 1;

  get holdsFlushes(): boolean {
    return this.flushesAreHeld;
  }

  /** From now on nothing becomes durable until {@link releaseFlushes}. */
  holdFlushes(): void {
    this.flushesAreHeld = true;
  }

  releaseFlushes(): void {
    this.flushesAreHeld = false;
    this.notifyTenants();
  }

  /** Changes the size of the volume and lets its stores look at once. */
  resize(capacityBytes: number): void {
    this.capacityBytes = capacityBytes;
    this.notifyTenants();
  }

  get usedBytes(): number {
    let used = 0;
    for (const { logs } of this.directories.values()) {
      for (const log of logs.values()) used += log.bytes;
    }
    return used;
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes);
  }

  /** Finds or makes a directory. */
  directory(path: string): MemoryDirectory {
    let directory = this.directories.get(path);
    if (directory === undefined) {
      const bytes = new Uint8Array(16);
      new DataView(bytes.buffer).setUint32(12, this.nextDirectory++);
      bytes[6] = 0x40;
      bytes[8] = 0x80;
      directory = {
        directoryId: Buffer.from(bytes).toString("base64url"),
        clusterId: null,
        nodeId: null,
        clean: true,
        logs: new Map(),
        files: new Map(),
      };
      this.directories.set(path, directory);
    }
    return directory;
  }

  /** Takes the lock of a directory; false when somebody else has it. */
  lock(path: string, tenant: DiskTenant): boolean {
    if (this.tenants.has(path)) return false;
    this.tenants.set(path, tenant);
    return true;
  }

  unlock(path: string, tenant: DiskTenant): void {
    if (this.tenants.get(path) === tenant) this.tenants.delete(path);
  }

  /** The machine loses power: what was not flushed is forgotten, open stores are dead. */
  crash(survivors: Survivors = keepNothing): void {
    const tenants = [...this.tenants];
    this.tenants.clear();
    for (const [path, tenant] of tenants) {
      tenant.crashed();
      const directory = this.directory(path);
      directory.clean = false;
      for (const log of directory.logs.values()) forgetUnsynced(log, survivors);
    }
    this.flushesAreHeld = false;
  }

  /** Damages everything from `offset` on, which must have been acknowledged. */
  corrupt(path: string, name: string, offset: number): boolean {
    const log = this.directory(path).logs.get(name);
    if (log === undefined) return false;
    log.corruptFromOffset = offset;
    return true;
  }

  private notifyTenants(): void {
    for (const tenant of [...this.tenants.values()]) tenant.diskChanged();
  }
}

function forgetUnsynced(log: MemoryLog, survivors: Survivors): void {
  const unsynced = [...log.batchesFrom(log.syncedOffset)];
  if (unsynced.length === 0) return;
  const kept = Math.min(unsynced.length, Math.max(0, survivors(log, unsynced.length)));
  const firstLost = unsynced[kept];
  if (firstLost !== undefined) {
    log.tornBytes = firstLost.bytes.length >> 1;
    log.truncate(firstLost.baseOffset);
  }
  log.syncedOffset = log.endOffset;
}
