import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Failure } from "../failure.ts";
import { isoTime } from "../humane.ts";
import { didYouMean } from "../nearest.ts";

export const run: Run = async ({ values, connect }) => {
  const id = values.positional(0);
  const client = await connect();
  const found = await client.transactions.describe(id).catch(async (error: unknown) => {
    if ((error as { errorName?: string }).errorName !== "TRANSACTIONAL_ID_NOT_FOUND") throw error;
    const all = await client.transactions.list().catch(() => []);
    const near = didYouMean(
      id,
      all.map((one) => one.transactionalId),
    );
    const what = `there is no transactional id ${JSON.stringify(id)}`;
    throw new Failure("TRANSACTIONAL_ID_NOT_FOUND", what, { hint: near ?? "see mantou txn list" });
  });
  const partitions = found.topics.flatMap(({ topic, partitions: list }) =>
    list.map((partition) => ({ topic, partition })),
  );
  const started = isoTime(found.startTimeMs);
  const head =
    `${id}  ${found.state}, producer ${found.producerId} epoch ${found.producerEpoch}, ` +
    `timeout ${found.timeoutMs} ms${started === null ? "" : `, open since ${started}`}`;
  return {
    data: {
      transactionalId: id,
      state: found.state,
      producerId: found.producerId,
      producerEpoch: found.producerEpoch,
      timeoutMs: found.timeoutMs,
      startedAt: started,
      partitions,
    },
    lines: partitions,
    view: [
      head,
      table(
        partitions,
        [
          { title: "TOPIC", of: (row) => row.topic },
          { title: "PARTITION", of: (row) => row.partition, kind: "count" },
        ],
        { empty: "no partitions" },
      ),
    ],
  };
};
