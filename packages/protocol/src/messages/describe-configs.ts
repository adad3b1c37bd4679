import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const request = struct({
  resources: array(
    struct({
      resourceType: int8,
      resourceName: string,
      configurationKeys: f(array(string), { nullable: true }),
    }),
  ),
  includeSynonyms: f(bool, { default: false }),
  includeDocumentation: f(bool, { since: 3, default: false }),
});

const response = struct({
  throttleTimeMs: int32,
  results: array(
    struct({
      errorCode: int16,
      errorMessage: f(string, { nullable: true }),
      resourceType: int8,
      resourceName: string,
      configs: array(
        struct({
          name: string,
          value: f(string, { nullable: true }),
          readOnly: bool,
          configSource: f(int8, { default: -1, ignorable: true }),
          isSensitive: bool,
          synonyms: f(
            array(struct({ name: string, value: f(string, { nullable: true }), source: int8 })),
            { ignorable: true },
          ),
          configType: f(int8, { since: 3, default: 0, ignorable: true }),
          documentation: f(string, { since: 3, nullable: true, ignorable: true }),
        }),
      ),
    }),
  ),
});

/**
 * Configs of topics, brokers, groups and client metrics, with their source and, if asked for,
 * synonyms and documentation. A null list of keys means all of a resource.
 */
export const describeConfigsApi = defineApi({
  key: 32,
  name: "DescribeConfigs",
  versions: [1, 4],
  flexible: 4,
  request,
  response,
});

export type DescribeConfigsRequest = Infer<typeof request>;
export type DescribeConfigsRequestInput = InferInput<typeof request>;
export type DescribeConfigsResponse = Infer<typeof response>;
export type DescribeConfigsResponseInput = InferInput<typeof response>;
