import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engines } from "../conformance/engines.ts";

const index = join(import.meta.dir, "../../src/index.ts");
const native = engines.find((engine) => engine.name === "native");
const unavailable = native?.unavailable ?? null;
const skipped = unavailable === null ? "" : ` (skipped: ${unavailable})`;

/** Runs a script in a process of its own; ends it where it does not end by itself. */
async function run(
  script: string,
  env: Record<string, string> = {},
): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn(
    [process.execPath, "-e", `import * as io from ${JSON.stringify(index)};\n${script}`],
    {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const exitCode = await child.exited;
  clearTimeout(timer);
  return { exitCode, output: out + err };
}

describe("loading the addon", () => {
  test("a path that leads nowhere is told, with what to do", async () => {
    const { output } = await run(
      "try { io.openNativeIo(); } catch (error) { console.log(error.code, error.message); }",
      { MANTOU_NATIVE_PATH: "/nowhere/mantou.node" },
    );
    expect(output).toContain("NO_ADDON");
    expect(output).toContain("/nowhere/mantou.node");
    expect(output).toContain("bun scripts/build-native.ts");
  });
});

describe.skipIf(unavailable !== null)(`the addon in a process${skipped}`, () => {
  test("an open engine keeps its process, a closed one lets it end", async () => {
    const { exitCode, output } = await run(`
      const engine = io.openNativeIo();
      engine.network.listen({ host: "127.0.0.1", port: 0, listenerId: 1, frameBytesMax: 1000 });
      setTimeout(async () => { await engine.close(); console.log("closed"); }, 50).unref();
    `);
    expect(output).toContain("closed");
    expect(exitCode).toBe(0);
  });

  test("a process may leave without closing anything", async () => {
    const { exitCode } = await run(`
      const engine = io.openNativeIo();
      engine.network.listen({ host: "127.0.0.1", port: 0, listenerId: 1, frameBytesMax: 1000 });
      process.exit(3);
    `);
    expect(exitCode).toBe(3);
  });

  test("engines come and go in one process", async () => {
    const { exitCode, output } = await run(`
      for (let round = 0; round < 20; round++) {
        const engine = io.openNativeIo({ arenaBytes: 4 << 20 });
        engine.network.listen({ host: "127.0.0.1", port: 0, listenerId: 1, frameBytesMax: 1000 });
        await engine.close();
      }
      console.log("done");
    `);
    expect(output).toContain("done");
    expect(exitCode).toBe(0);
  });

  test("a panic ends the process and says so", async () => {
    const { exitCode, output } = await run(`
      const engine = io.openNativeIo({ arenaBytes: 4 << 20 });
      engine.arena.release(123456);
      console.log("survived");
    `);
    expect(output).toContain("panicked");
    expect(output).not.toContain("survived");
    expect(exitCode).not.toBe(0);
  });
});

const withoutPython = Bun.which("python3") === null ? " (skipped: no python3)" : "";

describe.skipIf(unavailable !== null || withoutPython !== "")(
  `datagrams to a Unix socket${skipped}${withoutPython}`,
  () => {
    for (const kind of ["path", "abstract"] as const) {
      test(`reach a socket with a name that is ${kind}`, async () => {
        const name = `mantou-datagram-${process.pid}-${kind}`;
        const path = kind === "path" ? join(tmpdir(), name) : `@${name}`;
        const receiver = Bun.spawn(
          [
            "python3",
            "-c",
            "import socket, sys\n" +
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n" +
              "s.bind(sys.argv[1].replace('@', '\\0', 1))\n" +
              "print('bound', flush=True)\n" +
              "print(s.recv(4096).decode(), flush=True)\n",
            path,
          ],
          { stdio: ["ignore", "pipe", "ignore"], timeout: 60_000, killSignal: "SIGKILL" },
        );
        try {
          const lines = receiver.stdout.pipeThrough(new TextDecoderStream()).getReader();
          let text = "";
          const printed = async (wanted: string): Promise<void> => {
            while (!text.includes(wanted)) {
              const { value, done } = await lines.read();
              if (done) throw new Error(`it ended after ${JSON.stringify(text)}`);
              text += value;
            }
          };
          await printed("bound\n");
          const { exitCode, output } = await run(
            `io.sendDatagram(${JSON.stringify(path)}, "READY=1\\nSTATUS=well");`,
          );
          expect([exitCode, output]).toEqual([0, ""]);
          await printed("READY=1\nSTATUS=well\n");
        } finally {
          receiver.kill("SIGKILL");
          await receiver.exited;
        }
        if (kind === "path") rmSync(path);
      });
    }

    test("nobody there is an error that says where", async () => {
      const { output } = await run(
        'try { io.sendDatagram("/nowhere/socket", "READY=1"); } catch (e) { console.log(e.message); }',
      );
      expect(output).toContain("cannot send to /nowhere/socket");
    });
  },
);
