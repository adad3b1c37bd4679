import type { ClassicGroup } from "./classic/classic-group.ts";
import type { ConsumerGroup } from "./consumer/index.ts";

/** A group of either protocol; `type` tells which. Offsets are kept beside the groups. */
export type Group = ClassicGroup | ConsumerGroup;
