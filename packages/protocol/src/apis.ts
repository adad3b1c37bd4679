import type { AnyApi } from "./api.ts";
import {
  apiVersionsApi,
  createTopicsApi,
  fetchApi,
  listOffsetsApi,
  metadataApi,
  produceApi,
} from "./messages/index.ts";

/** Every API that a broker listener can serve, by key. What is advertised is the broker's list. */
export const allApis: readonly AnyApi[] = [
  produceApi,
  fetchApi,
  listOffsetsApi,
  metadataApi,
  apiVersionsApi,
  createTopicsApi,
];

const byKey: (AnyApi | undefined)[] = [];
for (const api of allApis) byKey[api.key] = api;

/** The API of a key from the wire, or undefined when there is none. */
export const apiByKey = (key: number): AnyApi | undefined => byKey[key];
