import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, float64, int16, int32, string, struct } from "../schema/types.ts";

const request = struct({
  entries: array(
    struct({
      entity: array(struct({ entityType: string, entityName: f(string, { nullable: true }) })),
      ops: array(struct({ key: string, value: float64, remove: bool })),
    }),
  ),
  validateOnly: bool,
});

const response = struct({
  throttleTimeMs: int32,
  entries: array(
    struct({
      errorCode: int16,
      errorMessage: f(string, { nullable: true }),
      entity: array(struct({ entityType: string, entityName: f(string, { nullable: true }) })),
    }),
  ),
});

/** Sets and removes quotas of users, client ids and addresses. */
export const alterClientQuotasApi = defineApi({
  key: 49,
  name: "AlterClientQuotas",
  versions: [0, 1],
  flexible: 1,
  request,
  response,
});

export type AlterClientQuotasRequest = Infer<typeof request>;
export type AlterClientQuotasRequestInput = InferInput<typeof request>;
export type AlterClientQuotasResponse = Infer<typeof response>;
export type AlterClientQuotasResponseInput = InferInput<typeof response>;
