import type { CreatePartitionsRequest, CreatePartitionsResponse } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { later } from "../handler.ts";

export function handleCreatePartitions(
  broker: BrokerContext,
  _call: Call,
  request: CreatePartitionsRequest,
): Outcome<CreatePartitionsResponse> {
  const { topics, validateOnly } = request;
  const decided = broker.controller.decide({ kind: "createPartitions", topics, validateOnly });
  return later(
    decided.then((results) => ({
      throttleTimeMs: 0,
      results: results.map(({ name, errorCode, errorMessage }) => ({
        name,
        errorCode,
        errorMessage,
      })),
    })),
  );
}
