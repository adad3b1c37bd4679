import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { createServer } from "node:net";
import { CloseReason, IoError, type IoOptions } from "../../src/index.ts";
import { Client, request, text, textOf } from "./client.ts";
import { Driver, type Seen, until } from "./driver.ts";
import { type World, engines } from "./engines.ts";

const LISTENER_ID = 7;

for (const engine of engines) {
  const skipped = engine.unavailable === null ? "" : ` (skipped: ${engine.unavailable})`;
  describe.skipIf(engine.unavailable !== null)(`network, ${engine.name}${skipped}`, () => {
    let world: World;
    let driver: Driver;
    let port: number;

    async function start(options: IoOptions = {}, frameBytesMax = 1 << 20): Promise<void> {
      if (driver !== undefined) await driver.io.close();
      driver = new Driver(world.open(options));
      const bound = driver.io.network.listen({
        host: "127.0.0.1",
        port: 0,
        listenerId: LISTENER_ID,
        frameBytesMax,
      });
      port = bound.port;
    }

    /** Answers every frame with its own body, at once. */
    function echo(): void {
      driver.onEvent = (event) => {
        if (event.kind !== "FRAME") return;
        const { frameOffset, frameLength } = event;
        const body = driver.io.arena.bytes.slice(frameOffset + 8, frameOffset + frameLength);
        driver.respond(event, body).release(event).submit();
      };
    }

    beforeEach(async () => {
      world = engine.world();
      await start();
    });

    afterEach(async () => {
      await driver.io.close();
      world.destroy();
    });

    test("a connection opens, is described, and closes", async () => {
      const client = await Client.to(port);
      const opened = await driver.next("OPENED");
      expect(opened.listenerId).toBe(LISTENER_ID);
      const info = driver.io.network.describe(opened.connection, opened.generation);
      expect(info).toEqual({
        listenerId: LISTENER_ID,
        remoteHost: "127.0.0.1",
        remotePort: client.socket.localPort as number,
      });
      expect(driver.io.network.describe(opened.connection, opened.generation + 1)).toBeNull();
      expect(driver.io.network.stats().connections).toBe(1);
      await client.end();
      const closed = await driver.next("CLOSED");
      expect(closed.connection).toBe(opened.connection);
      expect(closed.generation).toBe(opened.generation);
      expect(closed.reason).toBe(CloseReason.PEER);
      expect(driver.io.network.describe(opened.connection, opened.generation)).toBeNull();
      expect(driver.io.network.stats().connections).toBe(0);
    });

    test("a frame is described by its row and lies in the arena", async () => {
      const client = await Client.to(port);
      client.write(request(0x01020304, text("hello"), 0x1122, 0x33));
      const frame = await driver.next("FRAME");
      expect(frame.api >>> 16).toBe(0x1122);
      expect(frame.api & 0xffff).toBe(0x33);
      expect(frame.correlationId).toBe(0x01020304);
      expect(frame.sequence).toBe(0);
      expect(frame.frameLength).toBe(13);
      const { bytes, view } = driver.io.arena;
      expect(view.getInt16(frame.frameOffset)).toBe(0x1122);
      expect(textOf(bytes.subarray(frame.frameOffset + 8, frame.frameOffset + 13))).toBe("hello");
      expect(driver.io.network.stats().arenaBytesUsed).toBeGreaterThan(0);
      driver.skip(frame).release(frame).submit();
      await client.end();
      await until(() => driver.io.network.stats().arenaBytesUsed === 0, "the arena to be empty");
    });

    test("pipelined frames get sequences in order, byte by byte or all at once", async () => {
      echo();
      const client = await Client.to(port);
      const all = Buffer.concat([0, 1, 2, 3].map((id) => request(id, text(`body ${id}`))));
      for (const byte of all) client.write(Uint8Array.of(byte));
      client.write(all);
      await client.frame(8);
      expect(client.frames.map(textOf)).toEqual([
        ...["body 0", "body 1", "body 2", "body 3"],
        ...["body 0", "body 1", "body 2", "body 3"],
      ]);
      expect(driver.of("FRAME").map((frame) => frame.sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(driver.of("FRAME").map((frame) => frame.correlationId)).toEqual([
        ...[0, 1, 2, 3],
        ...[0, 1, 2, 3],
      ]);
      await client.end();
    });

    test("responses leave in the order of their frames, whatever is ready first", async () => {
      const client = await Client.to(port);
      client.write(...[0, 1, 2, 3].map((id) => request(id)));
      await driver.next("FRAME", 4);
      const [a, b, c, d] = driver.of("FRAME") as [Seen, Seen, Seen, Seen];
      driver.respond(d, text("d")).submit();
      driver.respond(b, text("b")).submit();
      driver.skip(c).submit();
      expect(client.frames.length).toBe(0);
      driver.respond(a, text("a1"), text(""), text("a2")).submit();
      await client.frame(3);
      expect(client.frames.map(textOf)).toEqual(["a1a2", "b", "d"]);
      for (const frame of [a, b, c, d]) driver.release(frame);
      driver.submit();
      await client.end();
    });

    test("an empty response is a size prefix of zero", async () => {
      const client = await Client.to(port);
      client.write(request(1));
      const frame = await driver.next("FRAME");
      driver.respond(frame).release(frame).submit();
      expect((await client.frame(1)).length).toBe(0);
      await client.end();
    });

    test("large frames and responses arrive whole", async () => {
      await start({}, 8 << 20);
      echo();
      const body = new Uint8Array(5 << 20);
      for (let at = 0; at < body.length; at++) body[at] = (at * 31 + (at >> 8)) & 0xff;
      const client = await Client.to(port);
      client.write(request(1, body), request(2, text("small")), request(3, body));
      const frame = await client.frame(3);
      expect(Buffer.compare(frame, body)).toBe(0);
      expect(textOf(client.frames[1])).toBe("small");
      await client.end();
      await until(() => driver.io.network.stats().arenaBytesUsed === 0, "the arena to be empty");
    });

    test("a frame above the limit closes the connection, and the limit can be raised", async () => {
      await start({}, 1000);
      const refused = await Client.to(port);
      refused.write(request(1, new Uint8Array(2000)));
      const closed = await driver.next("CLOSED");
      expect(closed.reason).toBe(CloseReason.FRAME_TOO_LARGE);
      await until(() => refused.closed, "the refused client's end");

      const client = await Client.to(port);
      const opened = await driver.next("OPENED", 2);
      driver.frameLimit(opened, 4000).submit();
      client.write(request(2, new Uint8Array(2000)));
      const frame = await driver.next("FRAME");
      expect(frame.frameLength).toBe(2008);
      driver.skip(frame).release(frame).submit();
      await client.end();
    });

    test.each([-1, 0, 7])("a frame of length %d is invalid", async (length) => {
      const client = await Client.to(port);
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setInt32(0, length);
      client.write(prefix, new Uint8Array(16));
      expect((await driver.next("CLOSED")).reason).toBe(CloseReason.FRAME_INVALID);
      await until(() => client.closed, "the client's end");
    });

    test("a half-sent frame is given back when its peer goes", async () => {
      const client = await Client.to(port);
      client.write(request(1, new Uint8Array(500_000)).subarray(0, 400_000));
      await until(() => driver.io.network.stats().receivedBytesTotal >= 400_000, "the bytes");
      await client.end();
      await driver.next("CLOSED");
      expect(driver.of("FRAME").length).toBe(0);
      await until(() => driver.io.network.stats().arenaBytesUsed === 0, "the arena to be empty");
    });

    test("CLOSE lets out what was answered before", async () => {
      const client = await Client.to(port);
      client.write(request(1), request(2));
      await driver.next("FRAME", 2);
      const [first, second] = driver.of("FRAME") as [Seen, Seen];
      driver.respond(first, text("last words")).close(first).submit();
      await until(() => client.closed, "the client's end");
      expect(client.frames.map(textOf)).toEqual(["last words"]);
      expect((await driver.next("CLOSED")).reason).toBe(CloseReason.REQUESTED);
      driver.respond(second, text("too late")).release(first).release(second).submit();
      expect(driver.io.network.stats().arenaBytesUsed).toBe(0);
    });

    test("a plan for an earlier generation of a slot touches nobody", async () => {
      echo();
      const old = await Client.to(port);
      const opened = await driver.next("OPENED");
      await old.end();
      await driver.next("CLOSED");
      const client = await Client.to(port);
      const again = await driver.next("OPENED", 2);
      expect(`${again.connection}/${again.generation}`).not.toBe(
        `${opened.connection}/${opened.generation}`,
      );
      const stale = { ...again, generation: again.generation - 1, sequence: 0 };
      driver.respond(stale, text("stale")).close(stale).submit();
      client.write(request(1, text("fresh")));
      expect(textOf(await client.frame(1))).toBe("fresh");
      expect(client.closed).toBe(false);
      await client.end();
    });

    test("connections above the limits are refused without a word", async () => {
      await start({ network: { connectionsMax: 2 } });
      echo();
      const kept = [await Client.to(port), await Client.to(port)];
      await driver.next("OPENED", 2);
      const refused = await Client.to(port);
      await until(() => refused.closed, "the third client's end");
      expect(driver.io.network.stats().refusedTotal).toBe(1);
      expect(driver.of("OPENED").length).toBe(2);
      await kept[0]?.end();
      await driver.next("CLOSED");
      const next = await Client.to(port);
      next.write(request(1, text("now")));
      expect(textOf(await next.frame(1))).toBe("now");
      await next.end();
      await kept[1]?.end();
    });

    test("connections of one address have a limit of their own", async () => {
      await start({ network: { connectionsPerIpMax: 1 } });
      const kept = await Client.to(port);
      await driver.next("OPENED");
      const refused = await Client.to(port);
      await until(() => refused.closed, "the second client's end");
      await kept.end();
    });

    test("an idle connection is closed", async () => {
      await start({ network: { idleTimeoutMs: 50 } });
      const client = await Client.to(port);
      expect((await driver.next("CLOSED")).reason).toBe(CloseReason.IDLE);
      await until(() => client.closed, "the client's end");
    });

    test("a connection is not read beyond its quota of unreleased frames", async () => {
      await start({ network: { connectionQuotaBytes: 100_000 } });
      const client = await Client.to(port);
      for (let id = 0; id < 100; id++) client.write(request(id, new Uint8Array(20_000)));
      await driver.next("FRAME", 4);
      const other = await Client.to(port);
      other.write(request(1000));
      await until(
        () => driver.of("FRAME").some((frame) => frame.correlationId === 1000),
        "another connection's frame",
      );
      const held = driver.of("FRAME").length;
      expect(held).toBeLessThan(60);
      driver.onEvent = (event) => {
        if (event.kind === "FRAME") driver.skip(event).release(event).submit();
      };
      for (const frame of driver.of("FRAME")) driver.skip(frame).release(frame);
      driver.submit();
      await driver.next("FRAME", 101);
      await client.end();
      await other.end();
      await until(() => driver.io.network.stats().arenaBytesUsed === 0, "the arena to be empty");
    });

    test("a reader that stops is not sent without bound, and hurts nobody else", async () => {
      await start({ network: { outputQuotaBytes: 100_000 } });
      echo();
      const slow = await Client.to(port);
      slow.socket.pause();
      let sent = 0;
      const body = new Uint8Array(50_000);
      while (sent < 400 && slow.socket.write(request(sent, body))) sent += 1;
      const quick = await Client.to(port);
      quick.write(request(1, text("quick")));
      expect(textOf(await quick.frame(1))).toBe("quick");
      slow.socket.resume();
      await until(() => slow.frames.length >= sent, "all answers for the slow one");
      await slow.end();
      await quick.end();
    });

    test("MUTE holds a connection back for a while", async () => {
      const client = await Client.to(port);
      const opened = await driver.next("OPENED");
      driver.mute(opened, 150).submit();
      const start = performance.now();
      client.write(request(1));
      const frame = await driver.next("FRAME");
      // What had already been on its way may come through; time only has a lower bound here.
      expect(performance.now() - start).toBeGreaterThanOrEqual(100);
      driver.skip(frame).release(frame).submit();
      await client.end();
    });

    test("stopAccepting leaves connections as they are", async () => {
      echo();
      const client = await Client.to(port);
      await driver.next("OPENED");
      driver.io.network.stopAccepting();
      client.write(request(1, text("still here")));
      expect(textOf(await client.frame(1))).toBe("still here");
      const refused = await Client.to(port).then(
        () => "accepted",
        () => "refused",
      );
      expect(refused).toBe("refused");
      await client.end();
    });

    test("an occupied port is an error with its POSIX name", () => {
      const again = (): unknown =>
        driver.io.network.listen({ host: "127.0.0.1", port, listenerId: 8, frameBytesMax: 100 });
      expect(again).toThrow(IoError);
      try {
        again();
      } catch (error) {
        expect((error as IoError).code).toBe("EADDRINUSE");
        expect((error as IoError).message).toContain(String(port));
      }
    });

    test("an outbound connection sends, and its frames come as events", async () => {
      const server = createServer((socket) => {
        socket.on("data", (chunk: Buffer) => {
          const answer = Buffer.alloc(12);
          answer.writeInt32BE(8);
          chunk.copy(answer, 4, 8, 12);
          answer.writeInt32BE(chunk.length, 8);
          socket.write(answer);
        });
        socket.on("error", () => {});
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
      const address = server.address() as { port: number };
      driver.io.network.connect("127.0.0.1", address.port, 99);
      const connected = await driver.next("CONNECTED");
      expect(connected.listenerId).toBe(99);
      driver.send(connected, request(0x0a0b0c0d).subarray(4)).submit();
      const frame = await driver.next("FRAME");
      expect(frame.connection).toBe(connected.connection);
      expect(frame.correlationId).toBe(0x0a0b0c0d);
      expect(driver.io.arena.view.getInt32(frame.frameOffset + 4)).toBe(12);
      driver.release(frame).close(connected).submit();
      expect((await driver.next("CLOSED")).reason).toBe(CloseReason.REQUESTED);
      server.close();
    });

    test("a connection that does not come about is told with its errno", async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
      const { port: dead } = server.address() as { port: number };
      await new Promise<void>((resolve) => server.close(() => resolve()));
      driver.io.network.connect("127.0.0.1", dead, 5);
      const failed = await driver.next("CONNECT_FAILED");
      expect(failed.listenerId).toBe(5);
      expect(failed.reason).toBe(constants.errno.ECONNREFUSED);
    });

    test("a small event table only means more drains", async () => {
      const io = world.open();
      const small = new Driver(io, 2);
      const bound = io.network.listen({
        host: "127.0.0.1",
        port: 0,
        listenerId: 1,
        frameBytesMax: 1000,
      });
      const client = await Client.to(bound.port);
      client.write(...Array.from({ length: 50 }, (_, id) => request(id)));
      await small.next("FRAME", 50);
      expect(small.of("FRAME").map((frame) => frame.sequence)).toEqual(
        Array.from({ length: 50 }, (_, id) => id),
      );
      await client.end();
      await io.close();
    });

    test("close ends every connection", async () => {
      const client = await Client.to(port);
      await driver.next("OPENED");
      await driver.io.close();
      await until(() => client.closed, "the client's end");
    });
  });
}
