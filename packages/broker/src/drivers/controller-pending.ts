import type { Entry, ReadState, Status } from "raft-ts";
import { ControllerError } from "./controller-errors.ts";

interface Proposal {
  /** Its last entry. */
  readonly index: number;
  readonly term: number;
  readonly resolve: (index: number) => void;
  readonly reject: (error: ControllerError) => void;
}

interface Read {
  readonly resolve: (index: number) => void;
  readonly reject: (error: ControllerError) => void;
}

const lost = (what: string): ControllerError =>
  new ControllerError("LEADERSHIP_LOST", `leadership was lost before ${what}`);

/**
 * Whoever waits for the start, for an entry to be applied or for a read to be confirmed. Bounded by the machine:
 * uncommitted bytes for proposals, a count for reads.
 */
export class ControllerPending {
  /** Oldest first: indices grow within a leadership. */
  private proposals: Proposal[] = [];
  private readonly reads = new Map<number, Read>();
  /** Confirmed, but the state machine is not there yet. */
  private confirmed: { readonly index: number; readonly read: Read }[] = [];
  private nextRead = 1;
  private start: { readonly resolve: () => void; readonly reject: (e: Error) => void } | null =
    null;

  get count(): number {
    return this.proposals.length + this.reads.size + this.confirmed.length;
  }

  /** Resolves when there is a leader and an entry of its term is applied. */
  untilStarted(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.start = { resolve, reject };
    });
  }

  considerStarted(status: () => Status, appliedTerm: number): void {
    if (this.start === null) return;
    const { leader, term } = status();
    if (leader === null || appliedTerm !== term) return;
    this.start.resolve();
    this.start = null;
  }

  addProposal(index: number, term: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.proposals.push({ index, term, resolve, reject });
    });
  }

  /** @param ask steps the read; an error is why it was not taken. */
  addRead(ask: (id: number) => ControllerError | null): Promise<number> {
    const id = this.nextRead++;
    return new Promise((resolve, reject) => {
      this.reads.set(id, { resolve, reject });
      const refused = ask(id);
      if (refused === null) return;
      this.reads.delete(id);
      reject(refused);
    });
  }

  applied(entry: Entry): void {
    for (;;) {
      const first = this.proposals[0];
      if (first === undefined || first.index > entry.index) break;
      this.proposals.shift();
      if (first.index === entry.index && first.term === entry.term) first.resolve(first.index);
      else first.reject(lost("the proposal was committed"));
    }
    this.settleReads(entry.index);
  }

  /** A snapshot took the place of entries up to `index`. */
  installed(index: number): void {
    this.settleReads(index);
  }

  readsConfirmed(states: readonly ReadState[], appliedIndex: number): void {
    for (const { id, index } of states) {
      const read = this.reads.get(id);
      this.reads.delete(id);
      if (read !== undefined) this.confirmed.push({ index, read });
    }
    this.settleReads(appliedIndex);
  }

  readsLost(ids: readonly number[]): void {
    for (const id of ids) {
      this.reads.get(id)?.reject(lost("the read was confirmed"));
      this.reads.delete(id);
    }
  }

  /** What was proposed may still be committed by another leader: nobody here knows. */
  leadershipLost(): void {
    const proposals = this.proposals;
    this.proposals = [];
    for (const { reject } of proposals) reject(lost("the proposal was committed"));
  }

  stop(error: ControllerError): void {
    const waiting = [
      ...this.proposals,
      ...this.reads.values(),
      ...this.confirmed.map(({ read }) => read),
    ];
    this.proposals = [];
    this.confirmed = [];
    this.reads.clear();
    for (const { reject } of waiting) reject(error);
    this.start?.reject(error);
    this.start = null;
  }

  private settleReads(appliedIndex: number): void {
    if (this.confirmed.length === 0) return;
    const due = this.confirmed.filter(({ index }) => index <= appliedIndex);
    this.confirmed = this.confirmed.filter(({ index }) => index > appliedIndex);
    for (const { index, read } of due) read.resolve(index);
  }
}
