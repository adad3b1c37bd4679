import { join, resolve } from "node:path";

/** The checkout: the harness starts and builds what lies in it. */
export const ROOT = resolve(import.meta.dir, "../../..");
export const NATIVE = join(ROOT, "native");
export const SERVER_MAIN = join(ROOT, "packages", "server", "src", "main.ts");
