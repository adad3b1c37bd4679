import { expect, test } from "bun:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replayTranscript } from "./consumer-transcript.ts";

// MANTOU_REWRITE=1 writes what the coordinator says now into the files; review the difference.
const rewrite = process.env["MANTOU_REWRITE"] === "1";
const folder = join(import.meta.dir, "consumer-transcripts");
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));

for (const file of files) {
  test(`transcript ${file}`, () => {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    const said = replayTranscript(text);
    if (rewrite) writeFileSync(path, said);
    else expect(said).toBe(text);
  });
}

test("the transcripts cover the protocol", () => {
  expect(files.length).toBeGreaterThanOrEqual(14);
});
