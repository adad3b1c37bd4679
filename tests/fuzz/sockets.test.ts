import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "@mantou/client";
import type { Consumer, Producer } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { HostileSocket, metadataFrame, prefix } from "./hostile-socket.ts";
import { canMeasure, descriptorsOf, rssOf } from "./process-usage.ts";

/** Peers that behave badly on real sockets, against a broker process on the native engine. */

const MEBIBYTE = 1024 * 1024;
/** What one attack may add to the broker's size for longer than a garbage collector takes. */
const RSS_GROWTH_MAX = 200 * MEBIBYTE;
/** What it may add at any moment. */
const RSS_PEAK_MAX = 1024 * MEBIBYTE;
/** A bystander's produce and fetch, on a machine that is shared. */
const PATIENCE_MS = 10_000;
const TOPICS = 50;
const REQUEST_BYTES_MAX = 104_857_600;

const folder = temporaryFolder();
let broker: BrokerProcess;
let client: Client;
let producer: Producer;
let reader: Consumer;
let restRss = 0;
let restDescriptors = 0;

beforeAll(async () => {
  broker = await BrokerProcess.start({
    dataDirectory: folder.path,
    flags: [
      "--set",
      `mantou.output.quota.bytes=${MEBIBYTE}`,
      "--set",
      "max.connections=3000",
      "--set",
      "max.connections.per.ip=3000",
    ],
  });
  client = await Client.connect({ brokers: broker.address });
  for (let index = 0; index < TOPICS; index += 1) {
    await client.admin.createTopic({ name: `topic-${index}`, partitions: 1 });
  }
  producer = client.producer();
  // Its connection is there before anybody takes all that are left.
  reader = client.consumer();
  reader.assign([{ topic: "topic-0", partition: 0 }]);
  await bystander();
  restRss = rssOf(broker.pid);
  restDescriptors = descriptorsOf(broker.pid);
});

afterAll(async () => {
  client.abort();
  const log = broker.log;
  expect(await broker.stop()).toBe(0);
  folder[Symbol.dispose]();
  expect(log).not.toMatch(/ERROR|request_failed|fatal/);
});

/** An honest client that must not notice anything. */
async function bystander(): Promise<void> {
  const value = crypto.randomUUID();
  const sent = producer.send({ topic: "topic-0", partition: 0, value });
  const late = Bun.sleep(PATIENCE_MS).then(() => {
    throw new Error(`a bystander waits for more than ${PATIENCE_MS} ms`);
  });
  const { offset } = await Promise.race([sent, late]);
  reader.seek("topic-0", 0, offset);
  const [record] = await Promise.race([reader.read(1), late]);
  expect(new TextDecoder().decode(record?.value ?? undefined)).toBe(value);
  late.catch(() => {});
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
    await Bun.sleep(10);
  }
}

/** The broker is not much larger than at rest, as soon as its garbage is collected. */
async function bounded(): Promise<void> {
  if (!canMeasure) return;
  const growth = (): number => rssOf(broker.pid) - restRss;
  expect(growth()).toBeLessThan(RSS_PEAK_MAX);
  await until("the broker's memory comes down", () => growth() < RSS_GROWTH_MAX);
}

/** After an attack: others are served, memory is bounded, no descriptor is left behind. */
async function aftermath(sockets: readonly HostileSocket[]): Promise<void> {
  await bystander();
  await bounded();
  for (const socket of sockets) socket.reset();
  if (!canMeasure) return;
  await until(
    `${descriptorsOf(broker.pid)} descriptors, ${restDescriptors} at rest`,
    () => descriptorsOf(broker.pid) <= restDescriptors + 4,
  );
}

const connectMany = (count: number): Promise<HostileSocket[]> =>
  Promise.all(Array.from({ length: count }, () => HostileSocket.connect(broker.port)));

describe("hostile peers", () => {
  test("half a frame and then silence, on 500 connections", async () => {
    const sockets = await connectMany(500);
    for (const [index, socket] of sockets.entries()) {
      const frame = metadataFrame(index);
      socket.write(frame.subarray(0, 1 + (index % (frame.length - 1))));
    }
    await aftermath(sockets);
  });

  test("a hundred mebibytes announced by 40 peers of which nothing comes", async () => {
    const sockets = await connectMany(40);
    for (const socket of sockets) {
      socket.write(prefix(REQUEST_BYTES_MAX));
      socket.write(new Uint8Array(100));
    }
    await aftermath(sockets);
  });

  test("sixty mebibytes of a hundred, from each of four peers", async () => {
    const sockets = await connectMany(4);
    for (const socket of sockets) {
      socket.write(prefix(REQUEST_BYTES_MAX));
      socket.write(new Uint8Array(60 * MEBIBYTE));
    }
    await bystander();
    for (const socket of sockets) socket.reset();
    await aftermath([]);
  });

  test("one byte at a time is as good as all at once", async () => {
    const socket = await HostileSocket.connect(broker.port);
    for (const id of [7, 8]) {
      for (const byte of metadataFrame(id)) {
        socket.write(Uint8Array.of(byte));
        await Bun.sleep(0);
      }
    }
    const frames = await socket.frames(2);
    expect(frames.map((frame) => new DataView(frame.buffer, frame.byteOffset).getInt32(0))).toEqual(
      [7, 8],
    );
    await aftermath([socket]);
  });

  const lengths = [-(2 ** 31), -2, -1, 0, 1, 7, REQUEST_BYTES_MAX + 1, 2 ** 31 - 1];
  for (const length of lengths) {
    test(`a frame of ${length} bytes: hung up on`, async () => {
      const socket = await HostileSocket.connect(broker.port);
      socket.write(prefix(length));
      await Promise.race([socket.closed, Bun.sleep(PATIENCE_MS)]);
      expect([socket.isOpen, socket.receivedBytes]).toEqual([false, 0]);
      await aftermath([]);
    });
  }

  const preambles: readonly (readonly [string, Uint8Array | string])[] = [
    ["HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["SSH", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["the PROXY protocol", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"],
    ["TLS", Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(500)])],
    ["noise", Uint8Array.from({ length: 10_000 }, (_, index) => (index * 7919 + 151) & 0xff)],
  ];
  for (const [what, bytes] of preambles) {
    test(`${what} on the port: hung up on`, async () => {
      const socket = await HostileSocket.connect(broker.port);
      socket.write(bytes);
      await Promise.race([socket.closed, Bun.sleep(PATIENCE_MS)]);
      expect([socket.isOpen, socket.receivedBytes]).toEqual([false, 0]);
      await aftermath([]);
    });
  }

  test("20,000 requests from each of 10 peers that do not read: held back, then in order", async () => {
    const COUNT = 20_000;
    const sockets = await connectMany(10);
    const requests = Buffer.concat(Array.from({ length: COUNT }, (_, id) => metadataFrame(id)));
    for (const socket of sockets) {
      socket.stopReading();
      socket.write(requests);
    }
    await bystander();
    await bounded();
    const [first] = sockets;
    first?.goOnReading();
    const frames = (await first?.frames(1000)) ?? [];
    for (const [id, frame] of frames.entries()) {
      const view = new DataView(frame.buffer, frame.byteOffset);
      if (view.getInt32(0) !== id) throw new Error(`answer ${view.getInt32(0)} in place ${id}`);
    }
    await aftermath(sockets);
  });

  test("storms of connections that are reset in the middle of a frame", async () => {
    for (let storm = 0; storm < 10; storm += 1) {
      const sockets = await connectMany(200);
      for (const [index, socket] of sockets.entries()) {
        const frame = metadataFrame(index);
        // Some before, some within, some behind a whole frame whose answer is on its way.
        socket.stopReading();
        if (index % 3 > 0) socket.write(frame.subarray(0, index % 3 === 1 ? 9 : frame.length));
        if (index % 2 === 0) socket.reset();
        else socket.end();
      }
      await aftermath(sockets);
    }
  });

  test("more connections than are allowed: the rest are turned away", async () => {
    const sockets = await connectMany(3100);
    await until("some are hung up on", () => sockets.some((socket) => !socket.isOpen));
    await aftermath(sockets);
    // There is room again.
    const late = await HostileSocket.connect(broker.port);
    late.write(metadataFrame(1));
    expect((await late.frames(1)).length).toBe(1);
    await aftermath([late]);
  });
});
