import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bool, f, int16, int32, int64, string, struct } from "../schema/types.ts";

const request = struct({
  clientSoftwareName: f(string, { since: 3, ignorable: true }),
  clientSoftwareVersion: f(string, { since: 3, ignorable: true }),
  clusterId: f(string, { since: 5, nullable: true, default: null, ignorable: true }),
  nodeId: f(int32, { since: 5, default: -1, ignorable: true }),
});

const response = struct({
  errorCode: int16,
  apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
  throttleTimeMs: f(int32, { since: 1, ignorable: true }),
  supportedFeatures: f(array(struct({ name: string, minVersion: int16, maxVersion: int16 })), {
    since: 3,
    tag: 0,
    ignorable: true,
  }),
  finalizedFeaturesEpoch: f(int64, { since: 3, default: -1, tag: 1, ignorable: true }),
  finalizedFeatures: f(
    array(struct({ name: string, maxVersionLevel: int16, minVersionLevel: int16 })),
    { since: 3, tag: 2, ignorable: true },
  ),
  zkMigrationReady: f(bool, { since: 3, default: false, tag: 3, ignorable: true }),
});

/**
 * Which APIs and versions the broker has. The first request of most clients, allowed before
 * authentication. Versions 3 and up name the client's software; the response header is never
 * flexible, and an unsupported version is answered at version 0.
 */
export const apiVersionsApi = defineApi({
  key: 18,
  name: "ApiVersions",
  versions: [0, 5],
  flexible: 3,
  request,
  response,
});

export type ApiVersionsRequest = Infer<typeof request>;
export type ApiVersionsRequestInput = InferInput<typeof request>;
export type ApiVersionsResponse = Infer<typeof response>;
export type ApiVersionsResponseInput = InferInput<typeof response>;
