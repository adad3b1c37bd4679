import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseBrokerConfig } from "@mantou/catalog";
import { startServer } from "../src/server.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

test("settings beyond 32 bits mean as much as there is, not what is left of them", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mantou-server-"));
  try {
    const config = parseBrokerConfig([
      ["log.dirs", directory],
      ["listeners", "PLAINTEXT://127.0.0.1:0"],
      ["connections.max.idle.ms", String(2 ** 32 + 1)],
      ["mantou.connection.quota.bytes", String(2 ** 32)],
      ["mantou.output.quota.bytes", String(2 ** 32)],
    ]);
    if (!config.ok) throw new Error(config.error.join());
    const server = await startServer(config.value, silent);
    const { promise: answered, resolve } = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.broker.endpoints()[0]?.port ?? 0,
      socket: {
        data: () => resolve("answered"),
        close: () => resolve("closed"),
      },
    });
    // ApiVersions, version 0, correlation id 7, no client id.
    const request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    socket.write(Uint8Array.from(request));
    expect(await Promise.race([answered, Bun.sleep(3000).then(() => "unread")])).toBe("answered");
    socket.end();
    await server.stop();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the address that is bound is told, whatever clients are told", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mantou-server-"));
  try {
    const config = parseBrokerConfig([
      ["log.dirs", directory],
      ["listeners", "PLAINTEXT://127.0.0.1:0"],
      ["advertised.listeners", "PLAINTEXT://broker.example:19092"],
    ]);
    if (!config.ok) throw new Error(config.error.join());
    const told: unknown[] = [];
    const info = (event: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (event === "listening") told.push(fields);
    };
    const server = await startServer(config.value, { ...silent, info });
    const { boundPort } = server.broker.endpoints()[0] ?? { boundPort: 0 };
    expect(boundPort).not.toBe(19092);
    expect(told).toEqual([
      {
        listener: "PLAINTEXT",
        address: `127.0.0.1:${boundPort}`,
        advertised: "broker.example:19092",
      },
    ]);
    await server.stop();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
