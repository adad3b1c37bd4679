import type { BrokerFigures } from "../figures.ts";
import type { MetricDefinition, Sample } from "./define.ts";
import { labelled, ofBroker } from "./define.ts";

type Figures = BrokerFigures["coordinators"][number];

const perTopic = (broker: BrokerFigures, value: (one: Figures) => number): readonly Sample[] =>
  broker.coordinators.map((one) => ({ labels: [one.topic], value: value(one) }));

const gauge = (
  name: string,
  unit: string,
  help: string,
  value: (one: Figures) => number,
): MetricDefinition =>
  labelled("gauge", name, unit, help, ["topic"], (broker) => perTopic(broker, value));

/** Groups and transactions, by the internal topic that holds them. */
export const coordinatorMetrics: readonly MetricDefinition[] = [
  gauge(
    "coordinator_shards",
    "shards",
    "Partitions of the internal topic whose groups or transactions are in memory.",
    ({ active }) => active,
  ),
  gauge(
    "coordinator_shards_loading",
    "shards",
    "Partitions that are being read; their clients are told to come back.",
    ({ loading }) => loading,
  ),
  gauge(
    "coordinator_requests_waiting",
    "requests",
    "Requests that wait for other members, for a transaction or for the disk.",
    ({ waiting }) => waiting,
  ),
  gauge(
    "coordinator_timers",
    "timers",
    "Deadlines of members, rounds and transactions that are set.",
    ({ timers }) => timers,
  ),
  labelled(
    "counter",
    "coordinator_commands_total",
    "commands",
    "What coordinators were asked, by kind, and deadlines that were reached.",
    ["topic", "command"],
    ({ coordinators }) =>
      coordinators.flatMap(({ topic, commands }) =>
        [...commands].map(([command, value]) => ({ labels: [topic, command], value })),
      ),
  ),
  labelled(
    "counter",
    "coordinator_batches_total",
    "batches",
    "Batches that coordinators have written to their internal topic.",
    ["topic"],
    (broker) => perTopic(broker, ({ batches }) => batches),
  ),
  ofBroker(
    "gauge",
    "groups",
    "groups",
    "Groups that this broker coordinates, of both protocols.",
    ({ groups }) => groups.groups,
  ),
  ofBroker(
    "gauge",
    "group_offsets",
    "offsets",
    "Committed offsets of the groups that this broker coordinates.",
    ({ groups }) => groups.offsets,
  ),
  ofBroker(
    "counter",
    "group_rebalances_total",
    "rebalances",
    "Rounds of classic groups that were begun, and new epochs of groups of the consumer protocol.",
    ({ groups }) => groups.rebalances,
  ),
  ofBroker(
    "counter",
    "group_offset_commits_total",
    "offsets",
    "Offsets that were committed, one per partition.",
    ({ groups }) => groups.commits,
  ),
  ofBroker(
    "counter",
    "group_offset_expirations_total",
    "offsets",
    "Committed offsets that were forgotten after offsets.retention.minutes.",
    ({ groups }) => groups.expirations,
  ),
];
