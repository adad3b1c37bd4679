import { ALL_VARIANTS, type ProduceRow } from "./scenarios.ts";

const KB = 1024;
const ACKS = [
  { acks: -1, name: "all", variants: ALL_VARIANTS },
  // Without waiting for the disk our two ways are one, and so are Kafka's in what is promised.
  { acks: 1, name: "1", variants: ["kafka-stock", "ours-fsync"] },
  { acks: 0, name: "0", variants: ["kafka-stock", "ours-fsync"] },
] as const;

/** Every size of a record with every number of partitions, every batch size and all acks. */
export function productRows(): ProduceRow[] {
  return ACKS.flatMap(({ acks, name, variants }) =>
    [100, KB, 10 * KB].flatMap((recordBytes) =>
      [1, 16, 128].flatMap((partitions) =>
        [16, 64, 256].map((batchKb): ProduceRow => {
          const of = partitions === 1 ? "1 partition" : `${partitions} partitions`;
          return {
            id: `produce-${partitions}p-${batchKb}k-${recordBytes}b-acks-${name}`,
            title: `acks=${name}, records of ${recordBytes} B, ${of}, ${batchKb} KB`,
            kind: "produce",
            variants,
            partitions,
            batchBytes: batchKb * KB,
            recordBytes,
            acks,
            connections: 8,
            depth: 5,
          };
        }),
      ),
    ),
  );
}
