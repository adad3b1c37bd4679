import type { System } from "./brokers.ts";
import {
  ALL_VARIANTS,
  type CoordinationRow,
  type EndToEndRow,
  type FetchRow,
  type Form,
  type FormName,
  type JavaRow,
  type PartitionsRow,
  type ProduceRow,
  type ScenarioRow,
  type SyscallsRow,
  type Variant,
} from "./scenarios.ts";
import { productRows } from "./product-rows.ts";
import { catchUpRow, memoryRow, rdkafkaRow, tailRow } from "./steady-rows.ts";

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

/** What a change of the broker shows in first; one turn of each, so look at orders of magnitude. */
export const QUICK: Form = {
  name: "quick",
  turns: turnsOf(1),
  secondsPerRun: 1,
  warmupSeconds: 3,
  idleSeconds: 1,
  blocks: [
    {
      name: "quick",
      rows: [
        produceRow(1, 64),
        produceRow(16, 64),
        produceRow(16, 16),
        ...pacedRows(16, 64),
        fetchRow(16, 64, 8),
        tailRow(4),
        javaRow(64, 100_000),
        ...coordinationRows,
      ],
    },
  ],
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

const peakRows = (batchKb: number): ProduceRow[] =>
  [1, 16, 128].map((partitions) => produceRow(partitions, batchKb));

const codecRow = (codec: "lz4" | "zstd"): JavaRow =>
  javaRow(64, 300_000, { id: `java-16p-64k-${codec}`, title: `Java producer, ${codec}`, codec });

/** All that an aim was set for; rows share the few lives of the brokers. */
const aimedRows: readonly ScenarioRow[] = [
  ...peakRows(64),
  ...pacedRows(16, 64),
  ...peakRows(16),
  ...pacedRows(16, 16),
  fetchRow(16, 64, 8),
  ...[1, 4, 16].map((readers) => fetchRow(1, 64, readers)),
  ...[1, 4, 16].map(tailRow),
  catchUpRow(false, 1),
  javaRow(64, 300_000),
  javaRow(16, 200_000),
  transactionalJavaRow(300_000),
  ...coordinationRows,
];

const otherRows: readonly ScenarioRow[] = [
  ...peakRows(256),
  ...acksRows,
  ...recordRows,
  ...latencyRows,
  ...connectionRows,
  codecRow("lz4"),
  codecRow("zstd"),
  rdkafkaRow,
  endToEndRow,
  syscallsRow(64),
  syscallsRow(16),
];

export const FULL: Form = {
  name: "full",
  turns: turnsOf(5),
  secondsPerRun: 2,
  warmupSeconds: 6,
  idleSeconds: 3,
  blocks: [
    { name: "aims", rows: aimedRows },
    // Latencies take their pace from peaks of the block before.
    { name: "others", rows: otherRows, repetitionsMax: 2 },
    { name: "cold", rows: [catchUpRow(true, 8)], repetitionsMax: 2 },
    { name: "1,000 partitions", rows: [partitionsRow(1000)], repetitionsMax: 1 },
    { name: "10,000 partitions", rows: [partitionsRow(10_000)], repetitionsMax: 1 },
    { name: "memory", rows: [memoryRow], repetitionsMax: 1 },
  ],
};

/** What the full form varies one at a time, every way; one turn of each. */
export const PRODUCT: Form = {
  name: "product",
  turns: turnsOf(1),
  secondsPerRun: 1,
  warmupSeconds: 3,
  idleSeconds: 1,
  blocks: [{ name: "product", rows: productRows() }],
};

export const FORMS: Readonly<Record<FormName, Form>> = {
  quick: QUICK,
  full: FULL,
  product: PRODUCT,
};

/** All rows of a form, each once. */
export function rowsOf(form: Form): ScenarioRow[] {
  const rows = new Map<string, ScenarioRow>();
  for (const block of form.blocks) for (const row of block.rows) rows.set(row.id, row);
  return [...rows.values()];
}
