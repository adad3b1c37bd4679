import { apiByKey } from "@mantou/protocol";

/** Kafka's name of an API, or its number where we do not know it. */
export const apiName = (key: number): string => apiByKey(key)?.name ?? `api ${key}`;
