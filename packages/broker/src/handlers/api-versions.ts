import { supportedFeatures } from "@mantou/catalog";
import type { ApiVersionsRequest, ApiVersionsResponse } from "@mantou/protocol";
import { ErrorCode, apiVersionsApi } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";

/** From here on the request names the client's software. */
const SOFTWARE_VERSION = 3;
/** From here on the request may say whom the client believes to talk to (KIP-1242). */
const IDENTITY_VERSION = 5;
/** Java clients up to this version cannot read features whose lowest level is 0 (KAFKA-17492). */
const NO_ZERO_FEATURES_VERSION = 3;

const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
/** Longer names serve nobody; the pattern is not run on them. */
const SOFTWARE_LENGTH_MAX = 255;

/** Which APIs and versions are served, and which features are finalised. */
export function handleApiVersions(
  broker: BrokerContext,
  call: Call,
  request: ApiVersionsRequest,
): Outcome<ApiVersionsResponse> {
  const errorCode = requestFault(broker, call.version, request);
  if (errorCode !== ErrorCode.NONE) return answer(empty(errorCode));
  const features = supportedFeatures.filter(
    ({ minVersion }) => call.version > NO_ZERO_FEATURES_VERSION || minVersion > 0,
  );
  return answer({
    ...empty(ErrorCode.NONE),
    apiKeys: broker.servedApis.map(({ key, minVersion, maxVersion }) => ({
      apiKey: key,
      minVersion,
      maxVersion,
    })),
    supportedFeatures: [...features],
    finalizedFeaturesEpoch: broker.image.featuresEpoch,
    finalizedFeatures: [...broker.image.features].map(([name, level]) => ({
      name,
      maxVersionLevel: level,
      minVersionLevel: level,
    })),
  });
}

/**
 * The answer to a version that is not served, to be encoded at version 0: the client picks one
 * from the only entry and asks again.
 */
export function unsupportedApiVersions(_broker: BrokerContext): ApiVersionsResponse {
  const { key: apiKey, minVersion, maxVersion } = apiVersionsApi;
  const apiKeys = [{ apiKey, minVersion, maxVersion }];
  return { ...empty(ErrorCode.UNSUPPORTED_VERSION), apiKeys };
}

function requestFault(
  broker: BrokerContext,
  version: number,
  request: ApiVersionsRequest,
): ErrorCode {
  if (version < SOFTWARE_VERSION) return ErrorCode.NONE;
  const { clientSoftwareName, clientSoftwareVersion } = request;
  if (!isSoftware(clientSoftwareName) || !isSoftware(clientSoftwareVersion)) {
    return ErrorCode.INVALID_REQUEST;
  }
  if (version < IDENTITY_VERSION) return ErrorCode.NONE;
  const { clusterId, nodeId } = request;
  if ((clusterId === null) !== (nodeId === -1)) return ErrorCode.INVALID_REQUEST;
  const isOurs = clusterId === null || (clusterId === broker.clusterId && nodeId === broker.nodeId);
  return isOurs ? ErrorCode.NONE : ErrorCode.REBOOTSTRAP_REQUIRED;
}

const isSoftware = (text: string): boolean =>
  text.length <= SOFTWARE_LENGTH_MAX && softwarePattern.test(text);

const empty = (errorCode: ErrorCode): ApiVersionsResponse => ({
  errorCode,
  apiKeys: [],
  throttleTimeMs: 0,
  supportedFeatures: [],
  finalizedFeaturesEpoch: -1,
  finalizedFeatures: [],
  zkMigrationReady: false,
});
