import { expect, test } from "bun:test";
import { Client } from "@mantou/client";
import { MemoryDisk, openPortableIo } from "@mantou/io";
import { startInProcess } from "./in-process-broker.ts";

/** A disk on which a broker has left a topic with a record, and been stopped. */
async function diskWithTopic(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await using broker = await startInProcess({}, () => openPortableIo({ disk }));
  const client = await Client.connect({ brokers: `127.0.0.1:${broker.port}` });
  await client.admin.createTopic({ name: "t", partitions: 1 });
  await client.producer().sendAll([{ topic: "t", partition: 0, value: "kept" }]);
  client.abort();
  return disk;
}

const restart = (disk: MemoryDisk, settings: Record<string, string> = {}) =>
  startInProcess(settings, () => openPortableIo({ disk }));

test("logs are never removed because the metadata is lost, whatever else is lost with it", async () => {
  for (const losesIdentity of [false, true]) {
    const disk = await diskWithTopic();
    const directory = disk.directory("memory");
    directory.logs.delete("__cluster_metadata-0");
    if (losesIdentity) {
      directory.clusterId = null;
      directory.nodeId = null;
    }
    await expect(restart(disk)).rejects.toThrow("holds 1 logs but no metadata");
    expect(directory.logs.get("t-0")?.endOffset).toBe(1);
  }
});

test("a directory of another node is refused", async () => {
  const disk = await diskWithTopic();
  await expect(restart(disk, { "node.id": "2" })).rejects.toThrow("belongs to node 1");
});

test("a directory is taken up again as it was", async () => {
  const disk = await diskWithTopic();
  await using broker = await restart(disk);
  expect(broker.broker.clusterId).toBe(disk.directory("memory").clusterId ?? "none");
  expect(broker.broker.partitionCount).toBe(1);
});
