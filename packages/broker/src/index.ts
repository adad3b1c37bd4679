export type { Ambient, Logger, Timers } from "./ambient.ts";
export { servedApis } from "./apis.ts";
export { Broker } from "./broker.ts";
export type { Endpoint } from "./handler.ts";
