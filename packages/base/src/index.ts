export { AssertionError, assert, unreachable } from "./assert.ts";
export { BoundedMap } from "./bounded-map.ts";
export { BoundedQueue } from "./bounded-queue.ts";
export type { Branded, LogId, Millis, Offset, Uuid } from "./brand.ts";
export { ZERO_UUID, logId, millis, offset } from "./brand.ts";
export type { Clock } from "./clock.ts";
export { Prng } from "./prng.ts";
export type { Result } from "./result.ts";
export { err, ok } from "./result.ts";
export type {
  CoordinatorEffects,
  CoordinatorRecord,
  CoordinatorReply,
  CoordinatorShard,
  CoordinatorWrite,
  Moment,
  ReplayedBatch,
  TimerChange,
  TransactionMarker,
} from "./coordinator.ts";
