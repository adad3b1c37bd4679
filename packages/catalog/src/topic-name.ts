/** Longest topic name: with `-` and a partition number it still is a file name. */
export const TOPIC_NAME_LENGTH_MAX = 249;

const legalName = /^[a-zA-Z0-9._-]+$/;

/** The log of the metadata itself; no client may create or delete a topic of this name. */
export const METADATA_TOPIC = "__cluster_metadata";

const internalTopics: ReadonlySet<string> = new Set([
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
]);

/** Whether clients show and treat the topic as the broker's own. */
export const isInternalTopic = (name: string): boolean => internalTopics.has(name);

/** Why a name cannot be a topic's, or null when it can. */
export function topicNameFault(name: string): string | null {
  if (name.length === 0) return "a topic name cannot be empty";
  if (name === "." || name === "..") return `a topic name cannot be "${name}"`;
  if (name.length > TOPIC_NAME_LENGTH_MAX) {
    return `a topic name has at most ${TOPIC_NAME_LENGTH_MAX} characters, not ${name.length}`;
  }
  if (!legalName.test(name)) {
    return `the topic name ${JSON.stringify(name)} has characters other than letters, digits, ".", "_" and "-"`;
  }
  return null;
}

/** Metric names turn `.` into `_`: two topics that agree after that cannot be told apart there. */
export const foldTopicName = (name: string): string => name.replaceAll(".", "_");
