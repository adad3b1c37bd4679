import type { Uuid } from "@mantou/base";

/** A partition of one life of a topic: `<topic id>/<partition>`. */
export type Where = string;

export const whereOf = (topicId: Uuid, partition: number): Where => `${topicId}/${partition}`;

/** A batch as a reader got it. The same batch is the same object, whoever read it. */
export interface SeenBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly isTransactional: boolean;
  /** Set for a transaction marker. */
  readonly marker: "commit" | "abort" | null;
  readonly isControl: boolean;
  /** Values are unique in a run; null is a tombstone. */
  readonly records: readonly SeenRecord[];
  readonly checksum: number;
}

export interface SeenRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
}

/** One record on its way, as its producer knows it. Its producer changes it as it learns more. */
export interface Send {
  readonly value: string;
  readonly key: string | null;
  readonly where: Where;
  /** Which producer, and its how manyeth record for this partition. */
  readonly by: string;
  readonly order: number;
  readonly acks: -1 | 0 | 1;
  /** Idempotent: the record must not be there twice. */
  readonly isExact: boolean;
  readonly transaction: Transaction | null;
  /** The moment in which it was sent last. */
  asked: number;
  /** `refused`: the broker said that it was not and will not be written. */
  outcome: "open" | "acked" | "refused";
  /** Set where the broker has told it. */
  offset: number | null;
}

/** A record that nobody has answered for yet; of an idempotent producer unless said otherwise. */
export const newSend = (
  fields: Pick<Send, "value" | "where" | "by" | "order"> & Partial<Send>,
): Send => ({
  key: null,
  acks: -1,
  isExact: true,
  transaction: null,
  asked: 0,
  outcome: "open",
  offset: null,
  ...fields,
});

/** One transaction, as its producer knows it. */
export interface Transaction {
  readonly by: string;
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  /** The moment in which its producer began it, under the identity it had then. */
  readonly began: number;
  readonly sends: Send[];
  /** Offsets that are to be committed with it, for `group`. */
  readonly group: string;
  readonly offsets: Map<Where, number>;
  /** Answered; `unknown`: the end was asked for, and no answer has come, or none was asked for. */
  outcome: "unknown" | "committed" | "aborted";
  /** The end that was asked for, and may have been carried out. */
  asked: "commit" | "abort" | null;
  /** The moments in which its end was first asked for, and was answered. */
  endAsked: number;
  endAnswered: number;
}

/** A producer got an id and an epoch: whoever had the transactional id before is fenced. */
export interface Identified {
  readonly transactionalId: string;
  readonly by: string;
  readonly answered: number;
}

/** One partition's part of one fetch answer. */
export interface Read {
  readonly by: string;
  readonly where: Where;
  readonly isCommitted: boolean;
  readonly from: number;
  /** The reader's position afterwards. */
  readonly next: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly batches: readonly SeenBatch[];
  /** What the reader made of it: for read_committed without what the answer says is aborted. */
  readonly delivered: readonly SeenRecord[];
}

/** DeleteRecords, as asked for. */
export interface Trim {
  readonly where: Where;
  readonly offset: number;
  isAcked: boolean;
}

/** A topic in one life. */
export interface TopicLife {
  readonly name: string;
  readonly topicId: Uuid;
  partitions: number;
  /** Records are acknowledged before they are flushed: nothing is promised. */
  readonly isPageCache: boolean;
  readonly isCompacted: boolean;
  /** Somebody has asked to delete it. */
  isDoomed: boolean;
  /** The deletion was acknowledged. */
  isDeleted: boolean;
}

/** What a partition holds at the end. */
export interface FinalLog {
  readonly where: Where;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly lastStableOffset: number;
  readonly batches: readonly SeenBatch[];
  /** Read with read_committed. */
  readonly committed: readonly SeenRecord[];
}

/** A partition's leader epoch in one life of the broker. */
export interface EpochSeen {
  readonly where: Where;
  readonly life: number;
  readonly epoch: number;
}

/** One partition's part of an OffsetCommit. */
export interface GroupCommit {
  readonly group: string;
  readonly where: Where;
  readonly offset: number;
  readonly by: string;
  /** Generation or member epoch; -1: nobody's. */
  readonly generation: number;
  /** Moments (`History.moment`) of the question and of its answer. */
  readonly asked: number;
  answered: number;
  /** `open`: nobody will ever say. */
  outcome: "open" | "acked" | "refused";
}

/** One partition's part of an OffsetFetch. */
export interface CommittedSeen {
  readonly group: string;
  readonly where: Where;
  /** -1: none. */
  readonly offset: number;
  readonly by: string;
  readonly asked: number;
}

/** A member of a classic group got its assignment. */
export interface GenerationSeen {
  readonly group: string;
  readonly generation: number;
  readonly by: string;
  readonly owned: readonly Where[];
  readonly answered: number;
}

/** A member's word that it owns a partition. It changes it as it goes on. */
export interface Ownership {
  readonly group: string;
  readonly where: Where;
  readonly by: string;
  readonly since: number;
  readonly sinceMs: number;
  /** The moment in which it began to say that it does not own it any more; Infinity: never. */
  until: number;
  /** Before this time the broker may not take it for dead. */
  leaseMs: number;
}

/** A heartbeat of a classic member that was answered without an error. */
export interface HeartbeatSeen {
  readonly group: string;
  readonly generation: number;
  readonly by: string;
  readonly asked: number;
}

/** Everything that clients and the machine have seen. Checkers judge it; it judges nothing. */
export class History {
  readonly sends: Send[] = [];
  readonly transactions: Transaction[] = [];
  readonly identified: Identified[] = [];
  readonly reads: Read[] = [];
  readonly trims: Trim[] = [];
  readonly epochs: EpochSeen[] = [];
  readonly topics = new Map<Uuid, TopicLife>();
  readonly final = new Map<Where, FinalLog>();
  readonly commits: GroupCommit[] = [];
  readonly committed: CommittedSeen[] = [];
  readonly generations: GenerationSeen[] = [];
  readonly heartbeats: HeartbeatSeen[] = [];
  readonly ownerships: Ownership[] = [];
  private moments = 0;

  /** Moments are numbered as they come: two that are ordered have numbers in that order. */
  moment(): number {
    this.moments += 1;
    return this.moments;
  }

  topicOf(where: Where): TopicLife | undefined {
    return this.topics.get(where.slice(0, where.lastIndexOf("/")) as Uuid);
  }

  /** A name for people. */
  say(where: Where): string {
    const topic = this.topicOf(where);
    return `${topic?.name ?? "?"}-${where.slice(where.lastIndexOf("/") + 1)}`;
  }
}
