import type { Entry, Message, NodeId, Outbox, Raft } from "../src/index.ts";
import type { SimNode } from "./sim-node.ts";

/** A broken promise. The message names it and the section of the paper or thesis. */
export class SafetyError extends Error {
  override readonly name = "SafetyError";
}

function must(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new SafetyError(promise);
}

interface Written {
  readonly prevTerm: number;
  readonly entry: Entry;
}

/** The observer's copy of one node's log, made from its writes alone. */
interface Mirror {
  base: number;
  baseTerm: number;
  terms: number[];
  commit: number;
  /** Set while it leads: the term, and how far its log reached. */
  leadsTerm: number | null;
  lastIndex: number;
}

const keyOf = (index: number, term: number): number => index * 65_536 + term;

/**
 * Sees every event of every node and checks the five properties of Raft's figure 3, and what must
 * hold for them: votes and acknowledgements are on disk before they are sent, commit never falls,
 * reads are linearizable.
 */
export class Safety {
  private readonly leaders = new Map<number, NodeId>();
  private readonly written = new Map<number, Written>();
  private readonly votes = new Map<string, NodeId>();
  private readonly mirrors = new Map<NodeId, Mirror>();
  /** By index: the term of the entry that is committed there. */
  private readonly committedTerms: number[] = [0];
  /** By index: the term of the leader that committed it, which is the first to know. */
  private readonly committedIn: number[] = [0];
  private readonly digests: number[] = [0];
  private readonly stored = new Map<NodeId, { term: number; commit: number }>();
  private readonly readFloors = new Map<number, number>();
  /** How often the interesting things have happened: a test without them proves nothing. */
  readonly seen = { terms: 0, truncations: 0, installs: 0, configs: 0, reads: 0, readsLost: 0 };

  get committed(): number {
    return this.committedTerms.length - 1;
  }

  started(node: SimNode): void {
    const { snapshot, entries } = node.disk;
    const usable = entries.filter((entry) => entry.index > snapshot.meta.index);
    const follows = usable[0] === undefined || usable[0].index === snapshot.meta.index + 1;
    this.mirrors.set(node.id, {
      base: snapshot.meta.index,
      baseTerm: snapshot.meta.term,
      terms: follows ? usable.map((entry) => entry.term) : [],
      commit: 0,
      leadsTerm: null,
      lastIndex: 0,
    });
  }

  outbox(node: SimNode, outbox: Outbox): void {
    const raft = node.raft as Raft;
    const mirror = this.mirrors.get(node.id) as Mirror;
    const status = raft.status();
    const led = mirror.leadsTerm === status.term;
    this.follow(mirror, outbox, led && status.role === "leader");
    if (status.role === "leader") this.checkLeader(node, mirror, status.term, status.lastIndex);
    mirror.leadsTerm = status.role === "leader" ? status.term : null;
    mirror.lastIndex = status.lastIndex;
    must(status.commit >= mirror.commit, "commit is monotonic");
    if (status.commit > mirror.commit) this.checkCommit(mirror, status);
    mirror.commit = status.commit;
    this.seen.readsLost += outbox.readsLost.length;
    for (const { id, index } of outbox.reads) {
      this.seen.reads += 1;
      const floor = this.readFloors.get(id) ?? 0;
      must(index >= floor, "a read sees what was committed when it was asked (thesis 6.4)");
    }
  }

  private follow(mirror: Mirror, outbox: Outbox, leads: boolean): void {
    const { persist } = outbox;
    if (persist === null) return;
    if (persist.snapshot !== null) {
      this.seen.installs += 1;
      mirror.base = persist.snapshot.index;
      mirror.baseTerm = persist.snapshot.term;
      mirror.terms = [];
    }
    if (persist.truncateFrom !== null) {
      must(!leads, "a leader only appends (figure 3: leader append-only)");
      this.seen.truncations += 1;
      const keep = persist.truncateFrom - mirror.base - 1;
      if (keep >= 0) mirror.terms.length = Math.min(mirror.terms.length, keep);
    }
    for (const entry of persist.entries) this.append(mirror, entry);
  }

  /** Inductive form of log matching: an entry names its predecessor, everywhere the same. */
  private append(mirror: Mirror, entry: Entry): void {
    must(entry.index === mirror.base + mirror.terms.length + 1, "writes have no gaps");
    const prevTerm = mirror.terms.at(-1) ?? mirror.baseTerm;
    const key = keyOf(entry.index, entry.term);
    const known = this.written.get(key);
    if (known === undefined) this.written.set(key, { prevTerm, entry });
    else {
      const same =
        known.prevTerm === prevTerm &&
        known.entry.kind === entry.kind &&
        Buffer.compare(known.entry.data, entry.data) === 0;
      must(same, "equal index and term, equal prefix (figure 3: log matching)");
    }
    mirror.terms.push(entry.term);
  }

  private checkLeader(node: SimNode, mirror: Mirror, term: number, lastIndex: number): void {
    const known = this.leaders.get(term);
    must(known === undefined || known === node.id, "one leader a term (figure 3: election safety)");
    if (known === undefined) this.seen.terms += 1;
    this.leaders.set(term, node.id);
    if (mirror.leadsTerm === term) {
      must(lastIndex >= mirror.lastIndex, "a leader's log does not shrink (leader append-only)");
      return;
    }
    for (let index = mirror.base + 1; index <= this.committed; index += 1) {
      // A leader of an old term that is elected late may lack what a later one has committed.
      if ((this.committedIn[index] as number) > term) continue;
      const held = mirror.terms[index - mirror.base - 1];
      must(
        held === this.committedTerms[index],
        `a leader has every committed entry (figure 3: leader completeness), ${node.id} lacks ${index}`,
      );
    }
  }

  private checkCommit(mirror: Mirror, status: ReturnType<Raft["status"]>): void {
    const from = Math.max(mirror.commit, mirror.base) + 1;
    for (let index = from; index <= status.commit; index += 1) {
      const term = mirror.terms[index - mirror.base - 1];
      must(term !== undefined, "what is committed was written");
      const known = this.committedTerms[index];
      must(known === undefined || known === term, `two entries are committed at ${index}`);
      if (known !== undefined) continue;
      this.committedTerms[index] = term;
      this.committedIn[index] = status.term;
      if (this.written.get(keyOf(index, term))?.entry.kind === "config") this.seen.configs += 1;
      for (const other of this.mirrors.values()) {
        if (other.leadsTerm === null || other.leadsTerm <= status.term) continue;
        must(
          index <= other.base || other.terms[index - other.base - 1] === term,
          "a later leader has every committed entry (leader completeness)",
        );
      }
    }
  }

  /** Called when a leader's commit has moved: a majority of its voters has it on disk. */
  checkStored(leader: SimNode, nodes: readonly SimNode[]): void {
    const status = (leader.raft as Raft).status();
    const seen = this.stored.get(leader.id);
    this.stored.set(leader.id, { term: status.term, commit: status.commit });
    // Only what it has just committed itself, under the membership of this moment.
    if (status.role !== "leader" || seen?.term !== status.term) return;
    if (seen.commit === status.commit) return;
    const term = this.committedTerms[status.commit];
    const holders = nodes.filter(({ id, disk }) => {
      if (!status.membership.voters.includes(id)) return false;
      if (disk.snapshot.meta.index >= status.commit) return true;
      const first = disk.entries[0]?.index ?? 0;
      return disk.entries[status.commit - first]?.term === term;
    });
    must(
      holders.length > status.membership.voters.length / 2,
      "what is committed is on the disks of a majority (section 5.3)",
    );
  }

  applied(node: SimNode): void {
    const { index, digest } = node.app;
    const known = this.digests[index];
    if (known === undefined) this.digests[index] = digest;
    else
      must(known === digest, `state machines agree at ${index} (figure 3: state machine safety)`);
    must(index <= this.committed, "only committed entries are applied");
  }

  /** A message leaves this node. */
  sent(node: SimNode, message: Message): void {
    const { hardState, entries, snapshot } = node.disk;
    if (message.type === "voteRequest") this.vote(node, message.term, node.id);
    if (message.type === "voteResponse" && message.granted) {
      this.vote(node, message.term, message.to);
    }
    if (message.type !== "preVoteRequest" && message.type !== "preVoteResponse") {
      must(hardState.term >= message.term, "a term is on disk before it is told (section 5.1)");
    }
    if (message.type === "appendResponse" && message.accepted) {
      const last = entries.at(-1)?.index ?? 0;
      const stored = Math.max(last, snapshot.meta.index);
      must(stored >= message.index, "entries are on disk before they are acknowledged");
    }
  }

  private vote(node: SimNode, term: number, candidate: NodeId): void {
    const { hardState } = node.disk;
    const onDisk = hardState.term === term && hardState.votedFor === candidate;
    must(onDisk || hardState.term > term, "a vote is on disk before it is given (section 5.2)");
    const key = `${node.id}/${term}`;
    const known = this.votes.get(key);
    must(known === undefined || known === candidate, "one vote a term (section 5.2)");
    this.votes.set(key, candidate);
  }

  asked(read: number): void {
    this.readFloors.set(read, this.committed);
  }
}
