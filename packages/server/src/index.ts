export { systemAmbient, EXIT_FATAL } from "./ambient.ts";
export { lineLogger } from "./logger.ts";
export { runServer } from "./run-server.ts";
export type { BuildInfo, Server } from "./server.ts";
export { startServer } from "./server.ts";
export { START_USAGE, parseStartOptions } from "./start-options.ts";
