import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Transcript } from "./transcript.ts";

/**
 * Files of commands (`> command`) and of what the machine said to them. MANTOU_REWRITE=1 writes
 * them anew; the diff is the review.
 */
const folder = join(import.meta.dir, "transcripts");
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("transcripts", () => {
  for (const name of files) {
    test(name, () => {
      const path = join(folder, name);
      const written = readFileSync(path, "utf8");
      const transcript = new Transcript();
      const lines: string[] = [];
      for (const line of written.split("\n")) {
        if (line.startsWith("> ")) lines.push(line, ...transcript.run(line.slice(2)));
        else if (line.startsWith("#") || line === "") lines.push(line);
      }
      const now = lines.join("\n");
      expect(now).not.toContain("BROKEN");
      if (process.env["MANTOU_REWRITE"] === "1") writeFileSync(path, now);
      else expect(now).toBe(written);
    });
  }
});
