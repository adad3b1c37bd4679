import { expect, test } from "bun:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replay } from "./transcript.ts";

// MANTOU_REWRITE=1 writes what the shard says now into the files; review the difference.
const rewrite = process.env["MANTOU_REWRITE"] === "1";
const folder = join(import.meta.dir, "transcripts");
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));

for (const file of files) {
  test(`transcript ${file}`, () => {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    const said = replay(text);
    if (rewrite) writeFileSync(path, said);
    else expect(said).toBe(text);
  });
}

test("the transcripts cover the classic protocol", () => {
  expect(files.length).toBeGreaterThanOrEqual(10);
});
