import { type Uuid, ZERO_UUID } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type {
  DecideContext,
  Decision,
  DeleteTopics,
  DeletedTopic,
  ItemReply,
} from "../commands.ts";
import { resolveBrokerConfig } from "../configs/broker-config.ts";
import type { CatalogImage } from "../image.ts";
import type { MetadataRecord } from "../records.ts";
import { METADATA_TOPIC } from "../topic-name.ts";
import { accepted, refused, repeated } from "./replies.ts";

export function decideDeleteTopics(
  image: CatalogImage,
  command: DeleteTopics,
  context: DecideContext,
): Decision<readonly DeletedTopic[]> {
  const records: MetadataRecord[] = [];
  const reply: DeletedTopic[] = [];
  const enabled = resolveBrokerConfig(image, context.config).deleteTopicEnable;
  const names = command.topics.flatMap(({ name }) => (name === null ? [] : [name]));
  const ids = command.topics.flatMap(({ topicId }) => (topicId === ZERO_UUID ? [] : [topicId]));
  const namesTwice = repeated(names);
  const idsTwice = repeated(ids);
  for (const name of namesTwice) reply.push(duplicate(name, ZERO_UUID));
  for (const topicId of idsTwice) reply.push(duplicate(null, topicId));
  const taken = new Set<Uuid>();
  for (const { name, topicId } of command.topics) {
    if (name !== null && topicId !== ZERO_UUID) {
      const message = "a topic is named by its name or by its id, not by both";
      reply.push({ ...refused(ErrorCode.INVALID_REQUEST, message), name, topicId });
      continue;
    }
    if (name === null && topicId === ZERO_UUID) {
      const message = "a topic is named neither by its name nor by its id";
      reply.push({ ...refused(ErrorCode.INVALID_REQUEST, message), name, topicId });
      continue;
    }
    if ((name !== null && namesTwice.has(name)) || idsTwice.has(topicId)) continue;
    const topic = name === null ? image.topicById(topicId) : image.topicByName(name);
    const fault = deletionFault(name, topicId, topic?.topicId, enabled, taken);
    if (fault !== null) {
      reply.push({ ...fault, name, topicId });
      continue;
    }
    if (topic === undefined) continue;
    taken.add(topic.topicId);
    records.push({ kind: "removeTopic", topicId: topic.topicId });
    reply.push({ ...accepted, name: topic.name, topicId: topic.topicId });
  }
  return { records, reply };
}

function deletionFault(
  name: string | null,
  topicId: Uuid,
  found: Uuid | undefined,
  enabled: boolean,
  taken: ReadonlySet<Uuid>,
): ItemReply | null {
  if (!enabled) {
    return refused(ErrorCode.TOPIC_DELETION_DISABLED, "delete.topic.enable is false");
  }
  if (name === METADATA_TOPIC) {
    return refused(ErrorCode.INVALID_REQUEST, `${name} is the cluster's own log`);
  }
  if (found === undefined) {
    return name === null
      ? refused(ErrorCode.UNKNOWN_TOPIC_ID, `there is no topic with the id ${topicId}`)
      : refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no topic ${name}`);
  }
  if (taken.has(found)) {
    return refused(ErrorCode.INVALID_REQUEST, "the same topic is named by its name and by its id");
  }
  return null;
}

const duplicate = (name: string | null, topicId: Uuid): DeletedTopic => ({
  ...refused(ErrorCode.INVALID_REQUEST, `topic ${name ?? topicId} is named more than once`),
  name,
  topicId,
});
