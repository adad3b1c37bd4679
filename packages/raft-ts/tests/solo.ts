import {
  type Entry,
  type Input,
  type Message,
  type Options,
  type Outbox,
  Raft,
  type Restored,
  bootstrap,
} from "../src/index.ts";
import { simOptions } from "./sim-node.ts";

/** An entry with its index and term, as `3/2`. */
export function entry(at: string, kind: Entry["kind"] = "normal"): Entry {
  const [index, term] = at.split("/").map(Number);
  const data = kind === "noop" ? new Uint8Array(0) : new TextEncoder().encode(at);
  return { index: index as number, term: term as number, kind, data, continues: false };
}

/** A disk whose log holds entries of these terms, from index 1 on. */
export function diskOf(
  voters: readonly number[],
  terms: readonly number[],
  hardState: Partial<Restored["hardState"]> = {},
): Restored {
  return {
    ...bootstrap(voters),
    hardState: { term: terms.at(-1) ?? 0, votedFor: null, ...hardState },
    entries: terms.map((term, at) => entry(`${at + 1}/${term}`)),
  };
}

/** One node under a magnifying glass: every message goes in by hand, every effect is looked at. */
export class Solo {
  readonly raft: Raft;
  now = 0;
  last: Outbox;

  /** @param slow writes complete only when `disk` is called. */
  constructor(
    readonly id: number,
    disk: Restored,
    private readonly slow = false,
    options: Partial<Options> = {},
  ) {
    this.raft = new Raft({ ...simOptions, ...options, id, seed: 1 }, disk, 0);
    this.last = this.raft.take();
  }

  /** Steps, completes writes unless the disk is slow, and returns what leaves. */
  step(input: Input): Message[] {
    this.raft.step(input, this.now);
    return this.flush();
  }

  receive(message: Record<string, unknown> & { type: Message["type"]; from: number }): Message[] {
    return this.step({ kind: "message", message: { to: this.id, ...message } as Message });
  }

  flush(): Message[] {
    this.last = this.raft.take();
    const left = [...this.last.messages];
    if (this.last.persist !== null && !this.slow) {
      left.push(...this.last.persist.messages);
      left.push(...this.step({ kind: "persisted", ticket: this.last.persist.ticket }));
    }
    return left;
  }

  /** Becomes leader of the next term with the votes of `voters`. Returns its first appends. */
  elect(...voters: number[]): Message[] {
    this.step({ kind: "campaign" });
    const { term } = this.raft.status();
    for (const from of voters) {
      this.receive({ type: "preVoteResponse", from, term: term + 1, granted: true });
    }
    return voters.flatMap((from) =>
      this.receive({ type: "voteResponse", from, term: term + 1, granted: true }),
    );
  }

  accept(from: number, index: number): Message[] {
    const { term } = this.raft.status();
    const hint = { hintIndex: 0, hintTerm: 0 };
    return this.receive({ type: "appendResponse", from, term, accepted: true, index, ...hint });
  }

  propose(...texts: string[]): Message[] {
    return this.step({ kind: "propose", data: texts.map((t) => new TextEncoder().encode(t)) });
  }
}
