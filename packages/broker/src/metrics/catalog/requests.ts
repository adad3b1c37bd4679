import { errorName } from "@mantou/protocol";
import { servedByKey } from "../../apis.ts";
import type { BrokerFigures } from "../figures.ts";
import type { HistogramView } from "../latency-histogram.ts";
import type { ApiFigures } from "../request-metrics.ts";
import type { MetricDefinition, Sample } from "./define.ts";
import { labelled, ofBroker } from "./define.ts";

const perApi = (
  broker: BrokerFigures,
  value: (figures: ApiFigures) => number | HistogramView,
): readonly Sample[] =>
  (broker.requests?.apis() ?? []).map((entry) => ({
    labels: [entry.api.name],
    value: value(entry),
  }));

export const requestMetrics: readonly MetricDefinition[] = [
  labelled("counter", "requests_total", "requests", "Requests that were decoded.", ["api"], (b) =>
    takenRequests(b),
  ),
  labelled(
    "histogram",
    "request_duration_seconds",
    "seconds",
    "From the tick that takes a request until its answer is handed to the network. A Fetch that waits for records counts with its wait.",
    ["api"],
    (b) => perApi(b, ({ durations }) => durations.view()),
  ),
  labelled(
    "counter",
    "request_errors_total",
    "errors",
    "Error codes in answers, by Kafka's name. An answer about several partitions may have several.",
    ["api", "error"],
    (b) =>
      (b.requests?.apis() ?? []).flatMap(({ api, errors }) =>
        [...errors].map(([code, value]) => ({ labels: [api.name, errorName(code)], value })),
      ),
  ),
  ofBroker(
    "counter",
    "requests_malformed_total",
    "requests",
    "Requests that did not parse; their connection was closed.",
    (b) => b.counters.malformed,
  ),
  ofBroker(
    "counter",
    "requests_unsupported_total",
    "requests",
    "Requests of an API or version that is not served; their connection was closed.",
    (b) => b.counters.unsupported,
  ),
  ofBroker(
    "counter",
    "request_failures_total",
    "requests",
    "Requests whose handler failed unexpectedly, answered with UNKNOWN_SERVER_ERROR. Any is a defect.",
    (b) => b.counters.handlerFailures,
  ),
  ofBroker(
    "histogram",
    "tick_duration_seconds",
    "seconds",
    "How long the loop worked without a pause: nothing else is decided meanwhile.",
    (b) => b.requests?.ticks.view() ?? null,
  ),
];

function takenRequests(broker: BrokerFigures): Sample[] {
  const samples: Sample[] = [];
  for (const [key, value] of broker.requests?.taken.entries() ?? []) {
    const name = servedByKey.get(key)?.api.name;
    if (value > 0 && name !== undefined) samples.push({ labels: [name], value });
  }
  return samples;
}
