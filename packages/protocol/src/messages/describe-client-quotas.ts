import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, float64, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  components: array(
    struct({ entityType: string, matchType: int8, match: f(string, { nullable: true }) }),
  ),
  strict: bool,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  entries: f(
    array(
      struct({
        entity: array(struct({ entityType: string, entityName: f(string, { nullable: true }) })),
        values: array(struct({ key: string, value: float64 })),
      }),
    ),
    { nullable: true },
  ),
});

/** Client quotas whose entity matches all of the components. */
export const describeClientQuotasApi = defineApi({
  key: 48,
  name: "DescribeClientQuotas",
  versions: [0, 1],
  flexible: 1,
  request,
  response,
});

export type DescribeClientQuotasRequest = Infer<typeof request>;
export type DescribeClientQuotasRequestInput = InferInput<typeof request>;
export type DescribeClientQuotasResponse = Infer<typeof response>;
export type DescribeClientQuotasResponseInput = InferInput<typeof response>;
