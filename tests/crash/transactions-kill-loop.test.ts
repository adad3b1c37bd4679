import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Client, Connection } from "@mantou/client";
import { ErrorCode } from "@mantou/protocol";
import {
  TransactionClient,
  read,
  until,
} from "../../packages/broker/tests/transactions/transaction-client.ts";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/**
 * kill -9 in a loop while transactions of both flows run over several partitions. A transaction
 * is seen whole or not at all, as its producer was told; no aborted record is ever seen; in the
 * end none is left hanging. MANTOU_LONG=1 runs 40 rounds, MANTOU_SEED repeats a run's choices.
 */
const ROUNDS = process.env["MANTOU_LONG"] === "1" ? 40 : 4;
const PARTITIONS = 3;
const CLIENTS = 4;
const TOPIC = "bookings";
const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

/** What is known of a transaction: it wrote `values`, and was told its end, or was not. */
interface Booking {
  readonly values: string[];
  told: "committed" | "aborted" | "unknown";
}

class Bookkeeper {
  readonly bookings: Booking[] = [];
  private count = 0;

  constructor(
    private readonly name: string,
    private readonly flow: "old" | "new",
    private readonly prng: Prng,
  ) {}

  /** Runs transactions until told to stop, or until the broker is gone. */
  async work(port: number, stop: AbortSignal, transactionsMax = Infinity): Promise<void> {
    const connection = await Connection.open({ host: "127.0.0.1", port });
    try {
      const client = new TransactionClient(connection, this.name, this.flow);
      const errorCode = await client.init();
      if (errorCode !== ErrorCode.NONE) throw new Error(`init: ${errorCode}`);
      for (let done = 0; !stop.aborted && done < transactionsMax; done += 1) {
        await this.transaction(client);
      }
    } finally {
      connection.close();
    }
  }

  private async transaction(client: TransactionClient): Promise<void> {
    const { prng } = this;
    const booking: Booking = { values: [], told: "unknown" };
    this.bookings.push(booking);
    const id = `${this.name}/${this.count++}`;
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index).filter(
      () => prng.below(2) === 0,
    );
    if (partitions.length === 0) partitions.push(0);
    for (const partition of partitions) {
      if (this.flow === "old") await expectNone("add", client.add(TOPIC, [partition]));
      const values = Array.from(
        { length: 1 + prng.below(3) },
        (_, at) => `${id}/${partition}/${at}`,
      );
      booking.values.push(...values);
      await expectNone("write", client.write(TOPIC, partition, values));
    }
    const isCommit = prng.below(3) > 0;
    await expectNone("end", client.end(isCommit));
    booking.told = isCommit ? "committed" : "aborted";
  }
}

async function expectNone(what: string, answer: Promise<number>): Promise<void> {
  const errorCode = await answer;
  if (errorCode !== ErrorCode.NONE) throw new Error(`${what} was answered with ${errorCode}`);
}

function compare(bookings: readonly Booking[], seen: readonly string[]): string[] {
  const faults: string[] = [];
  const known = new Set(seen);
  if (known.size !== seen.length) faults.push("a value is there twice");
  for (const { told, values } of bookings) {
    const found = values.filter((value) => known.has(value)).length;
    const isWhole = found === values.length;
    if (told === "committed" && !isWhole) faults.push(`${values[0]} was committed: ${found} seen`);
    if (told === "aborted" && found > 0) faults.push(`${values[0]} was aborted: ${found} seen`);
    if (found > 0 && !isWhole) faults.push(`${values[0]} is torn: ${found} of ${values.length}`);
  }
  return faults;
}

test(
  `transactions survive kill -9 whole or not at all, and none hangs (seed ${seed})`,
  async () => {
    using folder = temporaryFolder();
    const prng = new Prng(seed);
    const options = { dataDirectory: folder.path };
    let broker = await BrokerProcess.start(options);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => broker.kill());
    const { port } = broker;
    const client = await Client.connect({ brokers: broker.address });
    await client.admin.createTopic({ name: TOPIC, partitions: PARTITIONS });
    client.abort();
    const keepers = Array.from(
      { length: CLIENTS },
      (_, index) =>
        new Bookkeeper(`id-${index}`, index % 2 === 0 ? "old" : "new", new Prng(prng.u32())),
    );
    const bookings = (): Booking[] => keepers.flatMap((keeper) => keeper.bookings);
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = bookings().length;
      const goal = before + 20 + prng.below(40);
      const stop = new AbortController();
      // They end with the connections that the kill tears.
      const work = keepers.map((keeper) => keeper.work(port, stop.signal).catch(String));
      await until(
        `round ${round} with seed ${seed} moves; ${broker.log.slice(-2000)}`,
        () => bookings().length >= goal || !broker.isRunning,
      );
      expect(broker.isRunning).toBe(true);
      await broker.kill();
      stop.abort();
      await Promise.all(work);
      broker = await BrokerProcess.start({ ...options, port });
    }
    // Each producer comes back once more: whatever was open is ended.
    await Promise.all(keepers.map((keeper) => keeper.work(port, new AbortController().signal, 2)));
    const connection = await Connection.open({ host: "127.0.0.1", port });
    stack.defer(() => connection.close());
    const seen: string[] = [];
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      await until("nothing hangs", async () => {
        const { highWatermark, lastStableOffset } = await read(connection, TOPIC, partition, 1);
        return lastStableOffset === highWatermark;
      });
      seen.push(...(await read(connection, TOPIC, partition, 1)).values);
    }
    expect(compare(bookings(), seen)).toEqual([]);
    expect(bookings().filter(({ told }) => told === "committed").length).toBeGreaterThan(ROUNDS);
  },
  60_000 * (ROUNDS + 2),
);
