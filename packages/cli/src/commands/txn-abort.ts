import type { Client, HangingTransaction } from "@mantou/client";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Failure } from "../failure.ts";
import { existingTopic } from "../topics.ts";

/** Its name is told where a topic was meant: other tools abort by transactional id. */
async function notAnId(client: Client, name: string, failure: unknown): Promise<unknown> {
  const named = await client.transactions.list({}).catch(() => []);
  if (!named.some((transaction) => transaction.transactionalId === name)) return failure;
  return new Failure(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `${JSON.stringify(name)} is a transactional id`,
    {
      hint: `its topics: mantou txn show ${name}; then: mantou txn abort TOPIC`,
    },
  );
}

/** Ends what a coordinator has forgotten: a transaction that keeps readers of a partition waiting. */
export const run: Run = async ({ values, connect }) => {
  const client = await connect();
  const name = values.positional(0);
  const topic = await existingTopic(client, name).catch(async (failure) => {
    throw await notAnId(client, name, failure);
  });
  const only = values.integer("partition");
  const producerId = values.integer("producer-id");
  const rows: OpenTransaction[] = [];
  for (const { partition } of topic.partitions) {
    if (only !== null && partition !== only) continue;
    for (const producer of await client.transactions.producers(topic.name, partition)) {
      if (producer.currentTxnStartOffset < 0) continue;
      if (producerId !== null && producer.producerId !== producerId) continue;
      const holder = await holderOf(client, topic.name, partition, producer.producerId);
      if (holder !== null && values.has("hanging")) continue;
      rows.push({
        topic: topic.name,
        partition,
        producerId: producer.producerId,
        producerEpoch: producer.producerEpoch,
        coordinatorEpoch: producer.coordinatorEpoch,
        startOffset: producer.currentTxnStartOffset,
        transactionalId: holder,
        hangs: holder === null,
      });
    }
  }
  const dryRun = !values.has("yes");
  if (!dryRun) {
    if (rows.length > 1 && producerId === null) {
      throw new Failure("AMBIGUOUS", `${rows.length} transactions are open in ${topic.name}`, {
        hint: "choose with --producer-id (and --partition)",
      });
    }
    for (const row of rows) await client.transactions.abort(row);
  }
  return {
    data: { dryRun, transactions: rows },
    lines: rows,
    warnings: dryRun && rows.length > 0 ? ["nothing was aborted: add --yes to do it"] : [],
    view: [
      table(
        rows,
        [
          { title: "TOPIC", of: (row) => row.topic },
          { title: "PARTITION", of: (row) => row.partition, kind: "count" },
          { title: "PRODUCER", of: (row) => row.producerId },
          { title: "EPOCH", of: (row) => row.producerEpoch },
          { title: "SINCE OFFSET", of: (row) => row.startOffset, kind: "count" },
          { title: "HELD BY", of: (row) => row.transactionalId ?? "nobody: it hangs" },
          { title: "STATUS", of: () => (dryRun ? "open" : "aborted") },
        ],
        { empty: "no open transactions" },
      ),
    ],
  };
};

interface OpenTransaction extends HangingTransaction {
  readonly startOffset: number;
  /** Of the transaction that its coordinator knows of in this partition; null: it hangs. */
  readonly transactionalId: string | null;
  readonly hangs: boolean;
}

/** The transactional id whose coordinator will end the producer's transaction here, or null. */
async function holderOf(
  client: Client,
  topic: string,
  partition: number,
  producerId: number,
): Promise<string | null> {
  for (const { transactionalId } of await client.transactions.list({ producerIds: [producerId] })) {
    const { topics } = await client.transactions.describe(transactionalId);
    const isHeld = topics.some((one) => one.topic === topic && one.partitions.includes(partition));
    if (isHeld) return transactionalId;
  }
  return null;
}
