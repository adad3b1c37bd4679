import type { CreatedTopic } from "@mantou/catalog";
import { describeTopicConfigs } from "@mantou/catalog";
import type { CreateTopicsRequest, CreateTopicsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { later } from "../handler.ts";

/** The controller creates, or with `validateOnly` only says whether it would. */
export function handleCreateTopics(
  broker: BrokerContext,
  _call: Call,
  request: CreateTopicsRequest,
): Outcome<CreateTopicsResponse> {
  const { topics, validateOnly } = request;
  const decided = broker.controller.decide({ kind: "createTopics", topics, validateOnly });
  return later(decided.then((created) => createTopicsResponse(broker, created)));
}

export function createTopicsResponse(
  broker: Pick<BrokerContext, "image" | "config">,
  created: readonly CreatedTopic[],
): CreateTopicsResponse {
  return {
    throttleTimeMs: 0,
    topics: created.map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      errorCode: topic.errorCode,
      errorMessage: topic.errorMessage,
      topicConfigErrorCode: ErrorCode.NONE,
      numPartitions: topic.numPartitions,
      replicationFactor: topic.replicationFactor,
      configs: topic.errorCode === ErrorCode.NONE ? configsOf(broker, topic) : [],
    })),
  };
}

function configsOf(
  { image, config }: Pick<BrokerContext, "image" | "config">,
  topic: CreatedTopic,
): NonNullable<CreateTopicsResponse["topics"][number]["configs"]> {
  return describeTopicConfigs(image, config, topic.overrides).map((described) => ({
    name: described.name,
    value: described.value,
    readOnly: described.readOnly,
    configSource: described.source,
    isSensitive: false,
  }));
}
