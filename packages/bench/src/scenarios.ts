import type { System } from "./brokers.ts";

/** A broker in one of the two ways in which it can treat the disk. */
export type Variant = "kafka-stock" | "kafka-flush1" | "ours-fsync" | "ours-page-cache";

export interface VariantFacts {
  readonly system: System;
  readonly title: string;
  /** Settings of the topics that are loaded. */
  readonly configs: Readonly<Record<string, string>>;
}

export const VARIANTS: Readonly<Record<Variant, VariantFacts>> = {
  "kafka-stock": { system: "kafka", title: "Kafka, stock", configs: {} },
  "kafka-flush1": {
    system: "kafka",
    title: "Kafka, flush.messages=1",
    configs: { "flush.messages": "1" },
  },
  "ours-fsync": {
    system: "mantou",
    title: "mantou, fsync",
    configs: { "mantou.durability": "fsync" },
  },
  "ours-page-cache": {
    system: "mantou",
    title: "mantou, page cache",
    configs: { "mantou.durability": "page-cache" },
  },
};

export const ALL_VARIANTS = Object.keys(VARIANTS) as readonly Variant[];

interface Row {
  /** Unique in a form; a row that stands in two blocks is the same row. */
  readonly id: string;
  readonly title: string;
  readonly variants: readonly Variant[];
}

/** Producing as fast as answers come back, or at a share of a peak that was measured before. */
export interface ProduceRow extends Row {
  readonly kind: "produce" | "paced";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly recordBytes: number;
  readonly acks: -1 | 0 | 1;
  readonly connections: number;
  readonly depth: number;
  readonly pace?: Pace;
}

export interface Pace {
  /** The row, and of its variants the slowest, of whose throughput `share` is taken. */
  readonly row: string;
  readonly variants: readonly Variant[];
  readonly share: number;
}

/** Reading, in a loop, what was written a moment before and lies in the page cache. */
export interface FetchRow extends Row {
  readonly kind: "fetch";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly connections: number;
}

/** Readers at the end of a log that grows at a fixed rate: all read every partition. */
export interface TailRow extends Row {
  readonly kind: "tail";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly mbPerSecond: number;
  readonly readers: number;
}

/** One reader goes through a log from its start, beside a tail row with one reader. */
export interface CatchUpRow extends Row {
  readonly kind: "catch-up";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly mbPerSecond: number;
  /** What there is to catch up with; less where the disk has no room for it. */
  readonly bytes: number;
  /** From the disk, once; otherwise from the page cache, again and again. */
  readonly isCold: boolean;
}

/** Resident memory under a steady load: a tail row, and connections that come and go. */
export interface MemoryRow extends Row {
  readonly kind: "memory";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly mbPerSecond: number;
  readonly seconds: number;
}

/** kafka-producer-perf-test. */
export interface JavaRow extends Row {
  readonly kind: "java";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly recordBytes: number;
  readonly records: number;
  readonly codec: "none" | "lz4" | "zstd";
  /** Each transaction's length, in milliseconds; no transactions when absent. */
  readonly transactionMs?: number;
}

/** librdkafka's performance example as a producer. */
export interface RdkafkaRow extends Row {
  readonly kind: "rdkafka";
  readonly partitions: number;
  readonly batchBytes: number;
  readonly recordBytes: number;
  readonly records: number;
}

/** Kafka's EndToEndLatency: a record at a time, from the producer's send to the consumer's poll. */
export interface EndToEndRow extends Row {
  readonly kind: "end-to-end";
  readonly records: number;
  readonly recordBytes: number;
}

/** System calls of the broker's process while it takes batches; counted by `perf`. */
export interface SyscallsRow extends Row {
  readonly kind: "syscalls";
  readonly load: ProduceRow;
}

/** Many partitions: creating them, standing still, and starting again with them. */
export interface PartitionsRow extends Row {
  readonly kind: "partitions";
  readonly partitions: number;
}

/** Work of the coordinators. */
export interface CoordinationRow extends Row {
  readonly kind: "coordination";
  readonly what: "commits" | "rebalance" | "transactions";
}

export type ScenarioRow =
  | ProduceRow
  | FetchRow
  | TailRow
  | CatchUpRow
  | MemoryRow
  | JavaRow
  | RdkafkaRow
  | EndToEndRow
  | SyscallsRow
  | PartitionsRow
  | CoordinationRow;

/** Rows that share the life of a broker, from its start to the removal of its data. */
export interface Block {
  readonly name: string;
  readonly rows: readonly ScenarioRow[];
  /** Turns of each broker where it is fewer than the form's. */
  readonly repetitionsMax?: number;
}

export type FormName = "quick" | "full" | "product";

export interface Form {
  readonly name: FormName;
  /** Which broker runs in each turn: every repetition has one of each, and the order alternates. */
  readonly turns: readonly System[];
  readonly secondsPerRun: number;
  readonly warmupSeconds: number;
  /** How long a started broker stands still before its memory is read. */
  readonly idleSeconds: number;
  readonly blocks: readonly Block[];
}

/** Whether a row has a variant of this broker. */
export const runsOn = (row: ScenarioRow, system: System): boolean =>
  row.variants.some((variant) => VARIANTS[variant].system === system);

/** The turns of one block of a form. */
export function turnsOfBlock(form: Form, block: Block): readonly System[] {
  const { repetitionsMax } = block;
  return repetitionsMax === undefined ? form.turns : form.turns.slice(0, 2 * repetitionsMax);
}
