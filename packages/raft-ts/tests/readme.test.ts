import { expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

test("the example of the README runs and prints what it says", async () => {
  const readme = await readFile(join(import.meta.dir, "..", "README.md"), "utf8");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const said = /console\.log\(.*\); \/\/ (.*)/.exec(example)?.[1] ?? "";
  expect(said).not.toBe("");
  const index = JSON.stringify(join(import.meta.dir, "..", "src", "index.ts"));
  const code = example
    .replace('"raft-ts"', index)
    .replace(/console\.log\((.*)\);/, "export const said = Bun.inspect([$1], { compact: true });");
  const folder = await mkdtemp(join(tmpdir(), "raft-readme-"));
  try {
    const path = join(folder, "example.ts");
    await writeFile(path, code);
    const { said: actual } = (await import(path)) as { said: string };
    const plain = (text: string): string => text.replaceAll(/[\s,]/g, "");
    expect(plain(actual)).toBe(plain(`[${said}]`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
