import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Prng } from "@mantou/base";
import { apiVersionsApi, deleteTopicsApi, ErrorCode, metadataApi } from "@mantou/protocol";
import { Connection, type ConnectionOptions } from "../src/connection.ts";
import { ClientError } from "../src/errors.ts";
import { FrameAssembler } from "../src/frames.ts";
import { CLOSE, FakeBroker, frameOf, sayOnConnect, SILENT } from "./fake-broker.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function fake(maxVersions: Readonly<Record<string, number>> = {}): FakeBroker {
  const broker = new FakeBroker(maxVersions).handle(metadataApi, () => emptyMetadata);
  closers.push(() => broker.stop());
  return broker;
}

async function open(port: number, options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  const connection = await Connection.open({ host: "127.0.0.1", port, ...options });
  closers.push(() => connection.close());
  return connection;
}

async function errorOf(promise: Promise<unknown>): Promise<ClientError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const emptyMetadata = { brokers: [], topics: [], clusterId: "c", controllerId: 1 };
const allTopics = { topics: null };

test("negotiates and sends at the best version of both", async () => {
  const broker = fake({ Metadata: 5 });
  let seen = -1;
  broker.handle(metadataApi, (_request, call) => {
    seen = call.version;
    return emptyMetadata;
  });
  const connection = await open(broker.port);
  expect((await connection.request(metadataApi, allTopics)).clusterId).toBe("c");
  expect(seen).toBe(5);
  await connection.send(metadataApi, 2, allTopics);
  expect(seen).toBe(2);
  expect(connection.versions.range(metadataApi)).toEqual({ min: 0, max: 5 });
  expect(() => connection.versions.pick(deleteTopicsApi)).toThrow("does not serve DeleteTopics");
});

test("what is sent one way is flushed once the system has it, or is told that it is lost", async () => {
  const peers: Bun.Socket[] = [];
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.pause();
        peers.push(socket);
      },
      data: () => {},
    },
  });
  closers.push(() => listener.stop(true));
  const filled = async () => {
    const connection = await open(listener.port, { negotiate: false });
    await connection.flushed();
    connection.sendBytes(new Uint8Array(32 << 20));
    const flushed = connection.flushed();
    let isFlushed = false;
    flushed.then(
      () => (isFlushed = true),
      () => {},
    );
    await Bun.sleep(0);
    expect(isFlushed).toBe(false);
    return { connection, flushed };
  };
  const read = await filled();
  peers.pop()?.resume();
  await read.flushed;
  const lost = await filled();
  const error = errorOf(lost.flushed);
  lost.connection.close();
  expect((await error).code).toBe("CLOSED");
});

const hasOpenssl = Bun.which("openssl") !== null;
const whyNot = hasOpenssl ? "" : " (skipped: openssl is not installed)";

test.skipIf(!hasOpenssl)(`a certificate that is not trusted is told${whyNot}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "mantou-tls-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const words = `req -x509 -newkey rsa:2048 -nodes -keyout ${key} -out ${cert} -days 1 -subj /CN=localhost`;
  const made = Bun.spawnSync(["openssl", ...words.split(" ")], { stderr: "pipe" });
  expect(made.exitCode, made.stderr.toString()).toBe(0);
  let heard = 0;
  const listener = Bun.listen({
    hostname: "localhost",
    port: 0,
    tls: { key: Bun.file(key), cert: Bun.file(cert) },
    socket: {
      data: (_socket, chunk) => {
        heard += chunk.length;
      },
    },
  });
  closers.push(() => listener.stop(true));
  const { port } = listener;
  const error = await errorOf(Connection.open({ host: "localhost", port, tls: true }));
  expect([error.code, error.message]).toEqual([
    "UNTRUSTED",
    expect.stringContaining("SELF_SIGNED_CERT"),
  ]);
  expect(heard).toBe(0);
});

test("a broker that is too new or too old for an API is named", async () => {
  const broker = fake();
  broker.handle(apiVersionsApi, () => ({
    errorCode: 0,
    apiKeys: [{ apiKey: 3, minVersion: 90, maxVersion: 99 }],
  }));
  const connection = await open(broker.port);
  expect((await errorOf((async () => connection.request(metadataApi, allTopics))())).message).toBe(
    "the broker serves Metadata 90 to 99, this client knows 0 to 13",
  );
});

test("falls back where the broker refuses the version of ApiVersions", async () => {
  for (const max of [4, 2, 0]) {
    const broker = fake();
    const seen: number[] = [];
    broker.handle(apiVersionsApi, (_request, { version, correlationId }) => {
      seen.push(version);
      const apiKeys = [{ apiKey: 18, minVersion: 0, maxVersion: max }];
      if (version <= max) return { errorCode: 0, apiKeys };
      const errorCode = ErrorCode.UNSUPPORTED_VERSION;
      return frameOf(apiVersionsApi, 0, correlationId, { errorCode, apiKeys });
    });
    const connection = await open(broker.port);
    expect(seen).toEqual([apiVersionsApi.maxVersion, max]);
    expect(connection.versions.range(apiVersionsApi)?.max).toBe(max);
  }
  // Brokers before 2.4 do not say which versions would do.
  const silent = fake();
  silent.handle(apiVersionsApi, (_request, { version, correlationId }) => {
    const errorCode = version === 0 ? 0 : ErrorCode.UNSUPPORTED_VERSION;
    return frameOf(apiVersionsApi, 0, correlationId, { errorCode, apiKeys: [] });
  });
  expect((await open(silent.port)).versions.entries()).toEqual([]);
});

test("requests are pipelined and answered in order", async () => {
  const broker = fake();
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let count = 0;
  broker.handle(metadataApi, async () => {
    count += 1;
    const controllerId = count;
    if (controllerId === 50) release();
    await gate;
    return { ...emptyMetadata, controllerId };
  });
  const connection = await open(broker.port);
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => connection.request(metadataApi, allTopics)),
  );
  expect(answers.map((answer) => answer.controllerId)).toEqual(
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
});

test("nobody listens", async () => {
  const broker = fake();
  const { port } = broker;
  broker.stop();
  const error = await errorOf(open(port));
  expect(error.code).toBe("REFUSED");
  expect(error.message).toBe(`127.0.0.1:${port} refused the connection: nothing listens there`);
  expect(error.retriable).toBe(true);
});

test("a host that cannot be resolved", async () => {
  const error = await errorOf(Connection.open({ host: "no-such-host.invalid", port: 9092 }));
  expect(error.code).toBe("UNREACHABLE");
});

test("the wrong port: HTTP, TLS, a mail server, or one that closes", async () => {
  const cases: [string, boolean, string][] = [
    ["HTTP/1.1 400 Bad Request\r\n\r\n", true, "speaks HTTP"],
    ["\x15\x03\x03\x00\x02\x02\x46", true, "wants TLS"],
    ["220 mail.example.org ESMTP\r\n", false, 'it sends "220 "'],
    ["", true, "closed the connection during the handshake"],
  ];
  for (const [text, end, words] of cases) {
    const wrong = sayOnConnect(Buffer.from(text, "latin1"), end);
    closers.push(() => wrong.stop());
    const error = await errorOf(open(wrong.port));
    expect(error.message).toContain(words);
    expect(error.message).toContain(`127.0.0.1:${wrong.port}`);
    expect(error.code).toBe(text === "" ? "CLOSED" : "NOT_KAFKA");
  }
});

test("a broker that does not answer in time", async () => {
  const broker = fake();
  const connection = await open(broker.port);
  broker.handle(metadataApi, () => SILENT);
  const error = await errorOf(connection.request(metadataApi, allTopics, { timeoutMs: 30 }));
  expect(error.code).toBe("TIMED_OUT");
  expect(error.message).toContain("did not answer Metadata v13 within 30 ms");
});

test("a late answer does not go to the next request", async () => {
  const broker = fake();
  const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  let next = 0;
  broker.handle(metadataApi, () => answers[next++]?.promise);
  const connection = await open(broker.port);
  await errorOf(connection.request(metadataApi, allTopics, { timeoutMs: 20 }));
  const second = connection.request(metadataApi, allTopics);
  answers[0]?.resolve({ ...emptyMetadata, clusterId: "late" });
  answers[1]?.resolve({ ...emptyMetadata, clusterId: "second" });
  expect((await second).clusterId).toBe("second");
});

test("what waits is told when the broker closes", async () => {
  const broker = fake();
  broker.handle(metadataApi, () => CLOSE);
  const connection = await open(broker.port);
  const waiting = [connection.request(metadataApi, allTopics), connection.nextFrame()];
  for (const promise of waiting) expect((await errorOf(promise)).code).toBe("CLOSED");
  expect((await connection.closed).code).toBe("CLOSED");
  expect(connection.isOpen).toBe(false);
  expect((await errorOf(connection.send(metadataApi, 1, allTopics))).code).toBe("CLOSED");
});

test("answers that are out of step end the connection", async () => {
  const good = (correlationId: number): Uint8Array =>
    frameOf(metadataApi, 1, correlationId, emptyMetadata);
  const cases: [string, (correlationId: number) => Uint8Array, string][] = [
    ["wrong correlation", (id) => good(id + 1), "answer 2 to request 1"],
    ["trailing bytes", (id) => lengthened(good(id)), "1 bytes follow the answer"],
    ["cut off", (id) => shortened(good(id)), "does not parse"],
    ["huge", () => Uint8Array.fromHex("7fffffff00"), "claims 2147483647 bytes"],
    ["negative", () => Uint8Array.fromHex("ffffffff00"), "claims -1 bytes"],
  ];
  for (const [name, bytes, words] of cases) {
    const broker = fake();
    broker.handle(metadataApi, (_request, call) => bytes(call.correlationId));
    const connection = await open(broker.port);
    const error = await errorOf(connection.send(metadataApi, 1, allTopics));
    expect(error.message, name).toContain(words);
    expect(error.code, name).toBe("MALFORMED");
    await connection.closed;
  }
});

function lengthened(frame: Uint8Array): Uint8Array {
  const longer = Buffer.concat([frame, Uint8Array.of(0)]);
  longer.writeInt32BE(longer.length - 4);
  return longer;
}

function shortened(frame: Uint8Array): Uint8Array {
  const shorter = Buffer.from(frame.subarray(0, -1));
  shorter.writeInt32BE(shorter.length - 4);
  return shorter;
}

test("a frame that nobody asked for ends the connection", async () => {
  const broker = fake();
  broker.handle(metadataApi, (_request, call) => {
    const frame = frameOf(metadataApi, 1, call.correlationId, emptyMetadata);
    return Buffer.concat([frame, frame]);
  });
  const connection = await open(broker.port);
  await connection.send(metadataApi, 1, allTopics);
  expect((await connection.closed).message).toContain("nobody asked for");
});

test("raw frames and parts of frames", async () => {
  const broker = fake();
  const connection = await open(broker.port, { negotiate: false });
  expect(() => connection.versions).toThrow("not negotiated");
  // ApiVersions 0, correlation 7, client id null.
  const request = Uint8Array.fromHex("0012000000000007ffff");
  const answer = await connection.sendFrame(request);
  expect(answer.subarray(0, 6).toHex()).toBe("000000070000");
  const bytes = Buffer.concat([Uint8Array.of(0, 0, 0, request.length), request]);
  for (const byte of bytes) connection.sendBytes(Uint8Array.of(byte));
  expect(await connection.nextFrame()).toEqual(answer);
});

test("no more requests are under way than allowed", async () => {
  const broker = fake();
  broker.handle(metadataApi, () => SILENT);
  const connection = await open(broker.port, { inFlightMax: 2 });
  const waiting = [1, 2].map(() => errorOf(connection.request(metadataApi, allTopics)));
  expect(connection.inFlight).toBe(2);
  const third = await errorOf(connection.request(metadataApi, allTopics));
  expect(third.code).toBe("OVERLOADED");
  connection.close();
  for (const error of await Promise.all(waiting)) expect(error.code).toBe("CLOSED");
});

test("a peer that does not read fills a bounded queue, and gets all of it later", async () => {
  let received = 0;
  const drained = Promise.withResolvers<void>();
  let sent = Infinity;
  let peer: Bun.Socket<undefined> | null = null;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.pause();
        peer = socket;
      },
      data: (_socket, chunk) => {
        received += chunk.length;
        if (received >= sent) drained.resolve();
      },
    },
  });
  closers.push(() => listener.stop(true));
  const connection = await open(listener.port, { negotiate: false, outputBytesMax: 1 << 20 });
  const chunk = new Uint8Array(256 * 1024);
  let written = 0;
  let error: unknown = null;
  for (let count = 0; count < 1000 && error === null; count += 1) {
    try {
      connection.sendBytes(chunk);
      written += chunk.length;
    } catch (failure) {
      error = failure;
    }
  }
  expect((error as ClientError | null)?.code).toBe("OVERLOADED");
  sent = written;
  (peer as Bun.Socket<undefined> | null)?.resume();
  await drained.promise;
  expect(received).toBe(written);
});

test("frames are put together from chunks of any size", () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const prng = new Prng(seed);
    const frames = Array.from({ length: 20 }, () =>
      new Uint8Array(prng.pick([0, 1, 3, 100, 200_000])).fill(prng.below(256)),
    );
    const stream = Buffer.concat(
      frames.flatMap((frame) => {
        const prefix = Buffer.alloc(4);
        prefix.writeInt32BE(frame.length);
        return [prefix, frame];
      }),
    );
    const assembler = new FrameAssembler(200_000);
    const got: Uint8Array[] = [];
    for (let at = 0; at < stream.length;) {
      const end = at + prng.pick([1, 2, 3, 5, 50_000, 1_000_000]);
      assembler.push(stream.subarray(at, end), (frame) => got.push(frame.slice()));
      at = end;
    }
    expect(got.length, `seed ${seed}`).toBe(frames.length);
    for (const [index, frame] of frames.entries()) {
      expect(Buffer.compare(got[index] as Uint8Array, frame), `seed ${seed}`).toBe(0);
    }
  }
});
