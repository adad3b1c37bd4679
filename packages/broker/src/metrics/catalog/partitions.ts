import type { BrokerFigures } from "../figures.ts";
import type { MetricDefinition, Sample } from "./define.ts";
import { labelled, ofBroker } from "./define.ts";

const perTopic = (
  broker: BrokerFigures,
  value: (topic: BrokerFigures["topics"][number]) => number,
): readonly Sample[] =>
  broker.topics.map((entry) => ({ labels: [entry.topic], value: value(entry) }));

export const partitionMetrics: readonly MetricDefinition[] = [
  ofBroker(
    "gauge",
    "partitions",
    "partitions",
    "Partitions that are open on this broker.",
    (b) => b.partitions.open,
  ),
  ofBroker(
    "gauge",
    "partitions_leading",
    "partitions",
    "Partitions that this broker leads.",
    (b) => b.partitions.leading,
  ),
  ofBroker(
    "gauge",
    "partitions_failed",
    "partitions",
    "Partitions that are offline after a failed write, until they are opened again.",
    (b) => b.partitions.failed,
  ),
  ofBroker(
    "gauge",
    "partitions_size_bytes",
    "bytes",
    "Bytes of all logs on disk.",
    (b) => b.partitions.bytes,
  ),
  labelled(
    "gauge",
    "topic_partitions",
    "partitions",
    'Partitions of a topic on this broker. Topics beyond mantou.metrics.topics.max are "(others)".',
    ["topic"],
    (b) => perTopic(b, ({ partitions }) => partitions),
  ),
  labelled(
    "counter",
    "topic_records_total",
    "records",
    "Offsets given to records of a topic, since it was created.",
    ["topic"],
    (b) => perTopic(b, ({ records }) => records),
  ),
  labelled("gauge", "topic_size_bytes", "bytes", "Bytes of a topic on disk.", ["topic"], (b) =>
    perTopic(b, ({ bytes }) => bytes),
  ),
];
