import { ConfigResource } from "@mantou/catalog";
import type { ListConfigResourcesRequest, ListConfigResourcesResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";

/** Kinds that Kafka knows and that have no members here. */
const BROKER_LOGGER = 8;
const CLIENT_METRICS = 16;

const allTypes = [
  ConfigResource.TOPIC,
  ConfigResource.BROKER,
  BROKER_LOGGER,
  CLIENT_METRICS,
  ConfigResource.GROUP,
];

/** Things that can carry settings. Version 0 asks for client metrics alone, of which none exist. */
export function handleListConfigResources(
  broker: BrokerContext,
  call: Call,
  request: ListConfigResourcesRequest,
): Outcome<ListConfigResourcesResponse> {
  const asked = call.version === 0 ? [CLIENT_METRICS] : request.resourceTypes;
  const types = new Set<number>(asked.length === 0 ? allTypes : asked);
  const isUnknown = [...types].some((type) => !(allTypes as number[]).includes(type));
  if (isUnknown) {
    const errorCode = ErrorCode.UNSUPPORTED_VERSION;
    return answer({ throttleTimeMs: 0, errorCode, configResources: [] });
  }
  const configResources = [...types].flatMap((resourceType) =>
    namesOf(broker, resourceType).map((resourceName) => ({ resourceName, resourceType })),
  );
  return answer({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, configResources });
}

function namesOf(broker: BrokerContext, resourceType: number): readonly string[] {
  const { image } = broker;
  switch (resourceType) {
    case ConfigResource.TOPIC:
      return image.topicNamesSorted();
    case ConfigResource.BROKER:
    case BROKER_LOGGER:
      return image.aliveNodeIds().map(String);
    case ConfigResource.GROUP:
      return [...(image.settings.get(ConfigResource.GROUP)?.keys() ?? [])].sort();
    default:
      return [];
  }
}
