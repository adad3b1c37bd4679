export * from "./layout.ts";
export * from "./ports.ts";
export { Table } from "./table.ts";
