import type { DescribedConfig } from "@mantou/catalog";
import {
  ALL_BROKERS,
  ConfigResource,
  describeAllBrokersConfigs,
  describeBrokerConfigs,
  describeGroupConfigs,
  describeTopicConfigs,
  topicNameFault,
} from "@mantou/catalog";
import type { DescribeConfigsRequest, DescribeConfigsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";

type Asked = DescribeConfigsRequest["resources"][number];
type Result = DescribeConfigsResponse["results"][number];

interface Fault {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

export function handleDescribeConfigs(
  broker: BrokerContext,
  _call: Call,
  request: DescribeConfigsRequest,
): Outcome<DescribeConfigsResponse> {
  const results = request.resources.map((asked): Result => {
    const { resourceType, resourceName } = asked;
    const described = describe(broker, asked);
    if (!Array.isArray(described)) {
      return { ...described, resourceType, resourceName, configs: [] };
    }
    const keys = asked.configurationKeys;
    const wanted = keys === null || keys.length === 0 ? null : new Set(keys);
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      resourceType,
      resourceName,
      configs: described
        .filter(({ name }) => wanted === null || wanted.has(name))
        .map((config) => shown(config, request)),
    };
  });
  return answer({ throttleTimeMs: 0, results });
}

function describe(broker: BrokerContext, asked: Asked): DescribedConfig[] | Fault {
  const { image, config } = broker;
  const { resourceType, resourceName } = asked;
  if (resourceType === ConfigResource.TOPIC) {
    const fault = topicNameFault(resourceName);
    if (fault !== null) {
      return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: fault };
    }
    if (image.topicByName(resourceName) === undefined) {
      const errorMessage = `there is no topic ${resourceName}`;
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage };
    }
    const overrides = image.settingsOf(ConfigResource.TOPIC, resourceName);
    return describeTopicConfigs(image, config, overrides);
  }
  const errorCode = ErrorCode.INVALID_REQUEST;
  if (resourceType === ConfigResource.GROUP) {
    if (resourceName === "") return { errorCode, errorMessage: "a group has a name" };
    return describeGroupConfigs(image, config, resourceName);
  }
  if (resourceType !== ConfigResource.BROKER) {
    const errorMessage = `resources of type ${resourceType} have no settings here`;
    return { errorCode, errorMessage };
  }
  if (resourceName === ALL_BROKERS) return describeAllBrokersConfigs(image);
  if (resourceName === String(broker.nodeId)) return describeBrokerConfigs(image, config);
  const errorMessage = `this is broker ${broker.nodeId}; it knows its own settings and those of all (""), not those of ${JSON.stringify(resourceName)}`;
  return { errorCode, errorMessage };
}

const shown = (
  config: DescribedConfig,
  request: DescribeConfigsRequest,
): Result["configs"][number] => ({
  name: config.name,
  value: config.value,
  readOnly: config.readOnly,
  configSource: config.source,
  isSensitive: false,
  synonyms: request.includeSynonyms
    ? config.synonyms.map(({ name, value, source }) => ({ name, value, source }))
    : [],
  configType: config.type,
  documentation: request.includeDocumentation ? config.documentation : null,
});
