import type { MetricDefinition } from "./define.ts";
import { labelled, ofBroker } from "./define.ts";

/** Transactions that this broker coordinates. */
export const transactionMetrics: readonly MetricDefinition[] = [
  labelled(
    "gauge",
    "transactional_ids",
    "ids",
    "Transactional ids that this broker coordinates, by the state of their transaction.",
    ["state"],
    ({ transactions }) =>
      [...transactions.states].map(([state, value]) => ({ labels: [state], value })),
  ),
  ofBroker(
    "gauge",
    "transaction_age_seconds",
    "seconds",
    "Age of the transaction that has been running the longest; 0 without one.",
    ({ transactions }) => transactions.oldestMs / 1000,
  ),
  ofBroker(
    "gauge",
    "transactions_completing",
    "transactions",
    "Decided transactions whose markers are not all written.",
    ({ transactions }) => transactions.completing,
  ),
  labelled(
    "counter",
    "transactions_total",
    "transactions",
    "Transactions that have ended with all of their markers, by their end.",
    ["result"],
    ({ transactions }) => [
      { labels: ["committed"], value: transactions.committed },
      { labels: ["aborted"], value: transactions.aborted },
    ],
  ),
];
