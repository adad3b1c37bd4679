import type { System } from "./brokers.ts";
import {
  ALL_VARIANTS,
  type Block,
  type CoordinationRow,
  type EndToEndRow,
  type FetchRow,
  type Form,
  type JavaRow,
  type PartitionsRow,
  type ProduceRow,
  type ScenarioRow,
  type SyscallsRow,
  type Variant,
} from "./scenarios.ts";

const KB = 1024;

export const produceRowId = (partitions: number, batchKb: number): string =>
  `produce-${partitions}p-${batchKb}k`;

function produceRow(
  partitions: number,
  batchKb: number,
  changes: Partial<ProduceRow> = {},
): ProduceRow {
  const title = `${partitions} ${partitions === 1 ? "partition" : "partitions"}, ${batchKb} KB`;
  return {
    id: produceRowId(partitions, batchKb),
    title: `produce, ${title}`,
    kind: "produce",
    variants: ALL_VARIANTS,
    partitions,
    batchBytes: batchKb * KB,
    recordBytes: KB,
    acks: -1,
    connections: 8,
    depth: 5,
    ...changes,
  };
}

/** At half of what stock Kafka and Kafka with flush.messages=1 can do, each. */
function pacedRows(partitions: number, batchKb: number): ProduceRow[] {
  const of = produceRow(partitions, batchKb);
  const row = (against: "stock" | "flush1", variants: readonly Variant[]): ProduceRow => {
    const pace = { row: of.id, variants: [`kafka-${against}` as const], share: 0.5 };
    const whose = against === "stock" ? "stock Kafka's peak" : "Kafka flush.messages=1's peak";
    const title = `${of.title}, at half of ${whose}`;
    return {
      ...of,
      id: `half-${against}-${partitions}p-${batchKb}k`,
      title,
      kind: "paced",
      pace,
      variants,
    };
  };
  return [
    row("stock", ["kafka-stock", "ours-fsync", "ours-page-cache"]),
    row("flush1", ["kafka-flush1", "ours-fsync"]),
  ];
}

function fetchRow(partitions: number, batchKb: number, connections: number): FetchRow {
  const readers = connections === 1 ? "1 reader" : `${connections} readers`;
  const of = partitions === 1 ? "1 partition" : `${partitions} partitions`;
  return {
    id: `fetch-${partitions}p-${batchKb}k-${connections}c`,
    title: `fetch from cache, ${of}, ${batchKb} KB, ${readers}`,
    kind: "fetch",
    // How a topic was flushed is nothing that reading it from the cache could tell.
    variants: ["kafka-stock", "ours-fsync"],
    partitions,
    batchBytes: batchKb * KB,
    connections,
  };
}

function javaRow(batchKb: number, records: number, changes: Partial<JavaRow> = {}): JavaRow {
  return {
    id: `java-16p-${batchKb}k`,
    title: `Java producer, 16 partitions, ${batchKb} KB`,
    kind: "java",
    variants: ["kafka-stock", "ours-fsync", "ours-page-cache"],
    partitions: 16,
    batchBytes: batchKb * KB,
    recordBytes: KB,
    records,
    codec: "none",
    ...changes,
  };
}

/** Kafka, ours, ours, Kafka, …: what drifts in the machine hits both alike. */
export function turnsOf(repetitions: number): System[] {
  const turns: System[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    turns.push(
      ...(repetition % 2 === 0 ? (["kafka", "mantou"] as const) : (["mantou", "kafka"] as const)),
    );
  }
  return turns;
}

const coordinationRow = (what: CoordinationRow["what"], title: string): CoordinationRow => ({
  id: what,
  title,
  kind: "coordination",
  variants: ["kafka-stock", "ours-fsync"],
  what,
});

const coordinationRows: readonly CoordinationRow[] = [
  coordinationRow("commits", "offset commits, 50 groups, 10 partitions each"),
  coordinationRow("rebalance", "a member joins a group of 100"),
  coordinationRow("transactions", "transactions of one record, 20 producers"),
];

const transactionalJavaRow = (records: number): JavaRow =>
  javaRow(64, records, {
    id: "java-16p-64k-txn",
    title: "Java producer, transactions of 100 ms",
    variants: ["kafka-stock", "ours-fsync"],
    transactionMs: 100,
  });

const quickRows: readonly ScenarioRow[] = [
  produceRow(1, 64),
  produceRow(16, 64),
  produceRow(1, 16),
  produceRow(16, 16),
  ...pacedRows(16, 64),
  fetchRow(16, 64, 8),
  javaRow(64, 200_000),
  transactionalJavaRow(200_000),
  ...coordinationRows,
];

export const QUICK: Form = {
  name: "quick",
  turns: turnsOf(2),
  secondsPerRun: 2,
  warmupSeconds: 4,
  idleSeconds: 2,
  blocks: [{ name: "quick", rows: quickRows }],
};

const latencyRows = [0.1, 0.25, 0.5, 0.75, 0.9].map((share): ProduceRow => {
  const of = produceRow(16, 64);
  const percent = Math.round(share * 100);
  return {
    ...of,
    id: `latency-16p-64k-${percent}`,
    title: `${of.title}, at ${percent} % of the lowest peak but flush.messages=1`,
    kind: "paced",
    variants: ["kafka-stock", "ours-fsync", "ours-page-cache"],
    pace: { row: of.id, variants: ["kafka-stock", "ours-fsync", "ours-page-cache"], share },
  };
});

const acksRows = ([1, 0] as const).map((acks) =>
  produceRow(16, 64, {
    id: `produce-16p-64k-acks${acks}`,
    title: `produce, 16 partitions, 64 KB, acks=${acks}`,
    acks,
    variants: ["kafka-stock", "ours-fsync"],
  }),
);

const recordRows = [100, 10 * KB].map((recordBytes) =>
  produceRow(16, 64, {
    id: `produce-16p-64k-${recordBytes}b`,
    title: `produce, 16 partitions, 64 KB, records of ${recordBytes} B`,
    recordBytes,
  }),
);

const connectionRows = [1000, 5000].map((connections) =>
  produceRow(16, 16, {
    id: `produce-16p-16k-${connections}c`,
    title: `produce, 16 partitions, 16 KB, ${connections} connections`,
    connections,
    depth: 1,
    variants: ["kafka-stock", "ours-fsync", "ours-page-cache"],
  }),
);

const endToEndRow: EndToEndRow = {
  id: "end-to-end",
  title: "EndToEndLatency, 1 partition, 1 KB",
  kind: "end-to-end",
  variants: ALL_VARIANTS,
  records: 5000,
  recordBytes: KB,
};

const syscallsRow = (batchKb: number): SyscallsRow => ({
  id: `syscalls-16p-${batchKb}k`,
  title: `system calls, 16 partitions, ${batchKb} KB`,
  kind: "syscalls",
  variants: ["kafka-stock", "ours-fsync", "ours-page-cache"],
  load: produceRow(16, batchKb),
});

const partitionsRow = (partitions: number): PartitionsRow => ({
  id: `partitions-${partitions}`,
  title: `${partitions} partitions`,
  kind: "partitions",
  variants: ["kafka-stock", "ours-fsync"],
  partitions,
});

/** Batches of one size at 1, 16 and 128 partitions. */
const sizeBlock = (batchKb: number): Block => ({
  name: `${batchKb} KB`,
  rows: [
    ...[1, 16, 128].map((partitions) => produceRow(partitions, batchKb)),
    ...(batchKb === 256 ? [] : pacedRows(16, batchKb)),
    ...(batchKb === 64 ? [fetchRow(16, 64, 8), ...[1, 4, 16].map((n) => fetchRow(1, 64, n))] : []),
  ],
});

export const FULL: Form = {
  name: "full",
  turns: turnsOf(5),
  secondsPerRun: 4,
  warmupSeconds: 10,
  idleSeconds: 5,
  blocks: [
    sizeBlock(64),
    sizeBlock(16),
    sizeBlock(256),
    { name: "acks and records", rows: [...acksRows, ...recordRows] },
    { name: "latency", rows: [produceRow(16, 64), ...latencyRows] },
    { name: "connections", rows: connectionRows },
    {
      name: "Java",
      rows: [
        javaRow(64, 1_000_000),
        javaRow(16, 500_000),
        transactionalJavaRow(1_000_000),
        javaRow(64, 500_000, { id: "java-16p-64k-lz4", title: "Java producer, lz4", codec: "lz4" }),
        javaRow(64, 500_000, {
          id: "java-16p-64k-zstd",
          title: "Java producer, zstd",
          codec: "zstd",
        }),
      ],
    },
    {
      name: "single records and system calls",
      rows: [endToEndRow, syscallsRow(64), syscallsRow(16)],
    },
    { name: "groups and transactions", rows: coordinationRows },
    { name: "1,000 partitions", rows: [partitionsRow(1000)] },
    { name: "10,000 partitions", rows: [partitionsRow(10_000)] },
  ],
};

/** All rows of a form, each once. */
export function rowsOf(form: Form): ScenarioRow[] {
  const rows = new Map<string, ScenarioRow>();
  for (const block of form.blocks) for (const row of block.rows) rows.set(row.id, row);
  return [...rows.values()];
}
