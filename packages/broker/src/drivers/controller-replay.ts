import type { Entry, SnapshotMeta } from "raft-ts";
import type { ControllerArrivals } from "./controller-arrivals.ts";
import type { StateMachine } from "./controller-parts.ts";
import type { ControllerPending } from "./controller-pending.ts";
import type { ControllerSnapshots } from "./controller-snapshots.ts";

/** Brings committed entries and snapshots into the state machine, and remembers how far it is. */
export class ControllerReplay {
  index = 0;
  term = 0;

  constructor(
    private readonly machine: StateMachine,
    private readonly pending: ControllerPending,
    private readonly snapshots: ControllerSnapshots,
    private readonly arrivals: ControllerArrivals,
  ) {}

  /** Begins at the checkpoint on disk; `state` is null where there is none yet. */
  begin(snapshot: SnapshotMeta, state: Uint8Array | null): void {
    if (state !== null) this.machine.restore(state);
    this.moveTo(snapshot);
  }

  /** A leader's snapshot takes the place of everything before it. */
  install(snapshot: SnapshotMeta): void {
    this.machine.restore(this.arrivals.install(snapshot));
    this.moveTo(snapshot);
    this.pending.installed(snapshot.index);
    this.snapshots.installed(snapshot);
  }

  apply(entry: Entry): void {
    if (entry.kind === "normal") this.machine.apply(entry.index, entry.data);
    this.moveTo(entry);
    this.snapshots.applied(entry.data.length);
    this.pending.applied(entry);
  }

  private moveTo({ index, term }: { readonly index: number; readonly term: number }): void {
    this.index = index;
    this.term = term;
  }
}
