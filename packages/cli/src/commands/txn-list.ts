import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { durationOf } from "../moments.ts";

export const run: Run = async ({ values, connect }) => {
  const client = await connect();
  const longer = values.text("longer-than");
  const filter = {
    states: values.list("state"),
    producerIds: values.has("producer-id") ? [values.integer("producer-id") ?? -1] : [],
    ...(longer === null ? {} : { longerThanMs: durationOf("--longer-than", longer) }),
  };
  const rows = (await client.transactions.list(filter)).map((one) => ({
    transactionalId: one.transactionalId,
    producerId: one.producerId,
    state: one.state,
  }));
  return {
    data: rows,
    view: [
      table(
        rows,
        [
          { title: "TRANSACTIONAL ID", of: (row) => row.transactionalId },
          { title: "PRODUCER", of: (row) => row.producerId },
          { title: "STATE", of: (row) => row.state },
        ],
        { empty: "no transactional ids" },
      ),
    ],
  };
};
