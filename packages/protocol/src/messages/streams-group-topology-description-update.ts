import { defineApi } from "../api.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, f, int16, int32, int8, string, struct } from "../schema/types.ts";

const topologyDescriptionNode = struct({
  name: string,
  nodeType: int8,
  sourceTopics: array(string),
  sinkTopic: f(string, { nullable: true, default: null }),
  stores: array(string),
  successors: array(string),
});

const topologyDescriptionSubtopology = struct({
  subtopologyId: string,
  nodes: array(topologyDescriptionNode),
});

const topologyDescriptionGlobalStore = struct({
  source: topologyDescriptionNode,
  processor: topologyDescriptionNode,
});

const topologyDescription = struct({
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore),
});

const request = struct({
  groupId: string,
  memberId: string,
  topologyEpoch: int32,
  topologyDescription: topologyDescription,
});

const response = struct({
  throttleTimeMs: int32,
  errorCode: int16,
  errorMessage: f(string, { nullable: true, default: null }),
});

/** A member describes its topology, so that it can be shown. */
export const streamsGroupTopologyDescriptionUpdateApi = defineApi({
  key: 93,
  name: "StreamsGroupTopologyDescriptionUpdate",
  versions: [0, 0],
  flexible: 0,
  request,
  response,
});

export type StreamsGroupTopologyDescriptionUpdateRequest = Infer<typeof request>;
export type StreamsGroupTopologyDescriptionUpdateRequestInput = InferInput<typeof request>;
export type StreamsGroupTopologyDescriptionUpdateResponse = Infer<typeof response>;
export type StreamsGroupTopologyDescriptionUpdateResponseInput = InferInput<typeof response>;
