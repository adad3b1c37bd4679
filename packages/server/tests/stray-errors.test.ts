import { expect, test } from "bun:test";
import { join } from "node:path";

const source = (file: string): string => JSON.stringify(join(import.meta.dir, "../src", file));

/** Runs a statement in a process that ends on stray errors. */
async function run(statement: string): Promise<{ status: number; lines: string[] }> {
  const program = `
    const { endOnStrayErrors } = await import(${source("stray-errors.ts")});
    const { lineLogger } = await import(${source("logger.ts")});
    endOnStrayErrors(lineLogger());
    setInterval(() => {}, 1000);
    ${statement}
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stderr: "pipe", stdout: "ignore" });
  const [status, text] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  return { status, lines: text.split("\n").filter((line) => line !== "") };
}

for (const [name, statement] of [
  ["exception", 'setTimeout(() => { throw new Error("stray one"); }, 1);'],
  ["rejection", 'setTimeout(() => void Promise.reject(new Error("stray one")), 1);'],
] as const) {
  test(`a stray ${name} ends the process with one line`, async () => {
    const { status, lines } = await run(statement);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("ERROR fatal reason=");
    expect(lines[0]).toContain("stray one");
    expect(status).toBe(70);
  });
}
