import type { Codec } from "../src/index.ts";
import { allApis, consumerAssignmentCodec, consumerSubscriptionCodec } from "../src/index.ts";

/** Every message, both directions of every API. */
export const allCodecs: readonly Codec<unknown, unknown>[] = [
  ...allApis.flatMap((api) => [api.request, api.response]),
  consumerSubscriptionCodec as Codec<unknown, unknown>,
  consumerAssignmentCodec as Codec<unknown, unknown>,
];

export function* versionsOf(codec: Codec<unknown, unknown>): Iterable<number> {
  for (let version = codec.minVersion; version <= codec.maxVersion; version++) yield version;
}

/** A seed for this run: given, to repeat one, or new. Tests print it when they fail. */
export const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 2 ** 32);
/** Rounds are multiplied by this in the long form. */
export const effort = process.env["MANTOU_LONG"] === undefined ? 1 : 50;
