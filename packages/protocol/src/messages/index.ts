export * from "./api-versions.ts";
export * from "./create-topics.ts";
export * from "./fetch.ts";
export * from "./list-offsets.ts";
export * from "./metadata.ts";
export * from "./produce.ts";
