import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ErrorCode } from "@mantou/protocol";
import { startInProcess } from "../in-process-broker.ts";
import {
  TransactionClient,
  closing,
  createTopic,
  fatalLines,
  latest,
  read,
  until,
} from "./transaction-client.ts";

setDefaultTimeout(60_000);

for (const flow of ["old", "new"] as const) {
  describe(`the ${flow} flow`, () => {
    test("committed records are seen once they are committed, aborted ones never", async () => {
      await using broker = await startInProcess();
      await using connection = closing(await broker.connect());
      await createTopic(connection.it, "t");
      const client = new TransactionClient(connection.it, "id", flow);
      expect(await client.init()).toBe(ErrorCode.NONE);
      if (flow === "old") expect(await client.add("t", [0])).toBe(ErrorCode.NONE);
      expect(await client.write("t", 0, ["a", "b"])).toBe(ErrorCode.NONE);
      const open = await read(connection.it, "t", 0, 1);
      expect(open.values).toEqual([]);
      expect(open.lastStableOffset).toBe(0);
      expect(await latest(connection.it, "t", 1)).toBe(0);
      expect(await latest(connection.it, "t", 0)).toBe(2);
      expect((await read(connection.it, "t", 0, 0)).values).toEqual(["a", "b"]);
      expect(await client.end(true)).toBe(ErrorCode.NONE);
      await until("committed", async () => (await latest(connection.it, "t", 1)) === 3);
      expect((await read(connection.it, "t", 0, 1)).values).toEqual(["a", "b"]);
      if (flow === "old") expect(await client.add("t", [0])).toBe(ErrorCode.NONE);
      expect(await client.write("t", 0, ["c"])).toBe(ErrorCode.NONE);
      expect(await client.end(false)).toBe(ErrorCode.NONE);
      await until("aborted", async () => (await latest(connection.it, "t", 1)) === 5);
      if (flow === "old") expect(await client.add("t", [0])).toBe(ErrorCode.NONE);
      expect(await client.write("t", 0, ["d"])).toBe(ErrorCode.NONE);
      expect(await client.end(true)).toBe(ErrorCode.NONE);
      await until("committed", async () => (await latest(connection.it, "t", 1)) === 7);
      const all = await read(connection.it, "t", 0, 1);
      expect(all.values).toEqual(["a", "b", "d"]);
      expect(all.aborted).toEqual([
        { producerId: client.producerId, firstOffset: 3 },
      ] as typeof all.aborted);
      expect((await read(connection.it, "t", 0, 0)).values).toEqual(["a", "b", "c", "d"]);
      expect(fatalLines(broker)).toEqual([]);
    });
  });
}
