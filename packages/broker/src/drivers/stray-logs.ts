import type { LogId } from "@mantou/base";
import { METADATA_TOPIC, logConfigOf, resolveTopicConfig } from "@mantou/catalog";
import type { StoredLog } from "@mantou/io";
import type { PartitionsParts } from "./partitions.ts";

/**
 * Removes logs of topics that are no more: the process died between the deletion's commit and
 * the removal of its files. A topic id is never used again, so nothing else can own them.
 *
 * @param takeLogId gives an id for a log that is opened only to be removed.
 */
export async function removeStrays(
  { ambient, config, image, logs }: PartitionsParts,
  stored: readonly StoredLog[],
  takeLogId: () => LogId,
): Promise<void> {
  for (const { topic, topicId, partition } of stored) {
    if (topic === METADATA_TOPIC || image().topicById(topicId) !== undefined) continue;
    const logId = takeLogId();
    const settings = logConfigOf(resolveTopicConfig(image(), config(), topic));
    ambient.logger.info("stray_log_removed", { topic, topicId, partition });
    await logs.openLogs([{ logId, topic, topicId, partition, config: settings }]);
    await logs.remove(logId);
  }
}
