import type { TopicImage } from "@mantou/catalog";
import type { Membership } from "@mantou/replication";

/** Replicas of a partition and who of them is in sync, as the controller has committed it. */
export const membershipOf = (topic: TopicImage, partition: number): Membership => ({
  replicas: topic.replicasOf(partition),
  isr: topic.isrOf(partition),
  partitionEpoch: topic.partitionEpochOf(partition),
});
