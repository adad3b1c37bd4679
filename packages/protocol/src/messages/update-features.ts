import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  timeoutMs: f(int32, { default: 60000 }),
  featureUpdates: array(
    struct({
      feature: string,
      maxVersionLevel: int16,
      allowDowngrade: f(bool, { until: 0 }),
      upgradeType: f(int8, { since: 1, default: 1 }),
    }),
  ),
  validateOnly: f(bool, { since: 1, default: false }),
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true }),
  results: f(
    array(
      struct({ feature: string, errorCode: int16, errorMessage: f(string, { nullable: true }) }),
    ),
    { until: 1, ignorable: true },
  ),
});

/** Raises or lowers finalized feature levels, or with validateOnly tells whether it could. */
export const updateFeaturesApi = defineApi({
  key: 57,
  name: "UpdateFeatures",
  versions: [0, 2],
  flexible: 0,
  request,
  response,
});

export type UpdateFeaturesRequest = Infer<typeof request>;
export type UpdateFeaturesRequestInput = InferInput<typeof request>;
export type UpdateFeaturesResponse = Infer<typeof response>;
export type UpdateFeaturesResponseInput = InferInput<typeof response>;
