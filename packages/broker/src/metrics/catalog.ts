import { coordinatorMetrics } from "./catalog/coordinators.ts";
import { cleanerMetrics } from "./catalog/cleaner.ts";
import type { MetricDefinition } from "./catalog/define.ts";
import { networkMetrics } from "./catalog/network.ts";
import { partitionMetrics } from "./catalog/partitions.ts";
import { processMetrics } from "./catalog/process.ts";
import { requestMetrics } from "./catalog/requests.ts";
import { startMetrics } from "./catalog/start.ts";
import { storeMetrics } from "./catalog/store.ts";
import { transactionMetrics } from "./catalog/transactions.ts";

/**
 * Every metric there is: /metrics and docs/reference/metrics.md derive from this list. A new one
 * is an entry in one of these lists; what it looks at is a field of `Figures`.
 */
export const metricCatalog: readonly MetricDefinition[] = [
  ...requestMetrics,
  ...networkMetrics,
  ...storeMetrics,
  ...cleanerMetrics,
  ...partitionMetrics,
  ...coordinatorMetrics,
  ...transactionMetrics,
  ...startMetrics,
  ...processMetrics,
];
