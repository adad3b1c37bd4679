/**
 * Operations as bits of the fields "authorized operations", which Metadata, DescribeCluster and
 * others carry. Without an authorizer everybody may do everything that a resource knows.
 */
const Operation = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
} as const;

const bits = (...operations: readonly number[]): number =>
  operations.reduce((field, operation) => field | (1 << operation), 0);

/** The client did not ask. */
export const OPERATIONS_NOT_ASKED = -0x8000_0000;

export const TOPIC_OPERATIONS = bits(
  Operation.READ,
  Operation.WRITE,
  Operation.CREATE,
  Operation.DELETE,
  Operation.ALTER,
  Operation.DESCRIBE,
  Operation.DESCRIBE_CONFIGS,
  Operation.ALTER_CONFIGS,
);

export const GROUP_OPERATIONS = bits(
  Operation.READ,
  Operation.DELETE,
  Operation.DESCRIBE,
  Operation.DESCRIBE_CONFIGS,
  Operation.ALTER_CONFIGS,
);

export const CLUSTER_OPERATIONS = bits(
  Operation.CREATE,
  Operation.ALTER,
  Operation.DESCRIBE,
  Operation.CLUSTER_ACTION,
  Operation.DESCRIBE_CONFIGS,
  Operation.ALTER_CONFIGS,
  Operation.IDEMPOTENT_WRITE,
);
