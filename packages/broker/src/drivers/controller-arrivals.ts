import { assert } from "@mantou/base";
import type { SnapshotMeta } from "raft-ts";
import { checkpointName, decodeCheckpoint } from "./controller-records.ts";

interface Arrival {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Checkpoints of a leader on their way: arrived with a message, then handed to the disk, then
 * installed. At most two are held, the one that is being written and the latest.
 */
export class ControllerArrivals {
  private arrived: Arrival | null = null;
  private submitted: Arrival | null = null;

  /** Throws IoError CORRUPT when the bytes are no checkpoint. */
  offer(snapshot: SnapshotMeta, bytes: Uint8Array): void {
    const name = checkpointName(snapshot);
    decodeCheckpoint(bytes, name);
    this.arrived = { name, bytes };
  }

  /** The bytes to be written for a snapshot; null: its file is there already. */
  submit(snapshot: SnapshotMeta): Uint8Array | null {
    if (this.arrived?.name !== checkpointName(snapshot)) return null;
    this.submitted = this.arrived;
    this.arrived = null;
    return this.submitted.bytes;
  }

  /** The state machine in the checkpoint that is on disk now. */
  install(snapshot: SnapshotMeta): Uint8Array {
    const { submitted } = this;
    const name = checkpointName(snapshot);
    assert(submitted?.name === name, "a snapshot comes from the checkpoint that was written");
    this.submitted = null;
    return decodeCheckpoint(submitted.bytes, name).state;
  }
}
