import { expect, setDefaultTimeout, test } from "bun:test";
import { Prng } from "@mantou/base";
import { ReplicaCluster } from "./replica-cluster.ts";

// The long form takes minutes.
setDefaultTimeout(300_000);

const isLong = process.env["MANTOU_LONG"] === "1";
const seeds = isLong ? 20_000 : 400;
const from = Number(process.env["MANTOU_SEED"] ?? 1);

test.each([1, 2, 3, 5])("%d replicas: no crash takes back what a consumer saw", (size) => {
  let seenTotal = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const cluster = new ReplicaCluster(new Prng(seed), size);
    try {
      for (let step = 0; step < 300; step += 1) cluster.step();
      cluster.heal();
      expect(cluster.convergenceFaults()).toEqual([]);
    } catch (error) {
      throw new Error(`seed ${seed} (MANTOU_SEED=${seed} runs it first)`, { cause: error });
    }
    seenTotal += cluster.seen.length;
  }
  // A run in which nothing is ever committed would prove nothing.
  expect(seenTotal / seeds).toBeGreaterThan(10);
});
