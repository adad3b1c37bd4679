export { type Environment, processEnvironment, type Sink } from "./environment.ts";
export { helpText, helpTree } from "./help.ts";
export { runCommandLine } from "./run.ts";
export { root } from "./tree.ts";
