import type { BrokerFigures, Figures, ProcessFigures } from "../figures.ts";
import type { HistogramView } from "../latency-histogram.ts";

export type MetricType = "counter" | "gauge" | "histogram";

/** A value with the values of its labels, in the order of the definition. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number | HistogramView;
}

/** One metric. Its name follows Prometheus' habits: base units, counters end in `_total`. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: MetricType;
  /** What is counted, for the reference: seconds, bytes, requests, … */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Its samples now; none where there is nothing to tell. */
  readonly samples: (figures: Figures) => readonly Sample[];
}

export type Value = number | HistogramView | null;
type FromBroker = (broker: BrokerFigures) => Value;
type FromProcess = (figures: ProcessFigures) => Value;

const one = (value: Value): readonly Sample[] => (value === null ? [] : [{ labels: [], value }]);

/** A metric without labels of the broker. */
export const ofBroker = (
  type: MetricType,
  name: string,
  unit: string,
  help: string,
  source: FromBroker,
): MetricDefinition => ({
  name: `mantou_${name}`,
  type,
  unit,
  help,
  labels: [],
  samples: ({ broker }) => one(source(broker)),
});

/** A metric without labels of the process; absent where the process is not ours (tests). */
export const ofProcess = (
  type: MetricType,
  name: string,
  unit: string,
  help: string,
  source: FromProcess,
): MetricDefinition => ({
  name,
  type,
  unit,
  help,
  labels: [],
  samples: ({ process }) => (process === null ? [] : one(source(process))),
});

export const labelled = (
  type: MetricType,
  name: string,
  unit: string,
  help: string,
  labels: readonly string[],
  samples: (broker: BrokerFigures) => readonly Sample[],
): MetricDefinition => ({
  name: `mantou_${name}`,
  type,
  unit,
  help,
  labels,
  samples: ({ broker }) => samples(broker),
});
