import { expect, test } from "bun:test";
import { BrokerError, Client, retrying } from "@mantou/client";
import {
  addPartitionsToTxnApi,
  encodeBatch,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
  findCoordinatorApi,
  initProducerIdApi,
  joinGroupApi,
  leaveGroupApi,
  produceApi,
  syncGroupApi,
} from "@mantou/protocol";
import { type RunOptions, runCli } from "./cli-process.ts";

/** What an operator does with groups and transactions, against whichever broker `address` gives. */
export function groupWork(address: () => string): void {
  const cli = (line: string, options: RunOptions = {}) =>
    runCli(address(), line.split(" "), options);
  const well = async (line: string, options: RunOptions = {}): Promise<string> => {
    const { status, stdout, stderr } = await cli(line, options);
    const printed = status === 0 ? "" : stdout;
    expect({ line, status, stderr, printed }).toMatchObject({ line, status: 0 });
    return stdout;
  };
  const data = async (line: string, options: RunOptions = {}) =>
    JSON.parse(await well(`${line} -o json`, options)).data;

  test("offsets of a group are set by plan, shown with their lag, and deleted", async () => {
    await well("topic create grouped -p 2 -r 1");
    await well("produce grouped -p 0", { input: "a\nb\nc\nd\n" });
    const plan = await cli("group reset readers -t grouped --to earliest");
    expect([plan.status, plan.stderr]).toEqual([0, expect.stringContaining("--yes")]);
    expect((await cli("group show readers")).status).toBe(1);
    await well("group reset readers -t grouped --to earliest --yes");
    const shown = await data("group show readers");
    expect(shown).toMatchObject({ group: "readers", type: "classic", state: "Empty", lag: 4 });
    expect(shown.offsets.map((row: { lag: number }) => row.lag)).toEqual([4, 0]);
    const emptyPlace = await cli("group reset readers --to= --yes");
    expect([emptyPlace.status, emptyPlace.stderr]).toEqual([
      2,
      expect.stringContaining("--to has no place"),
    ]);
    const noPlace = await cli("group reset readers --to nowhere --yes");
    expect([noPlace.status, noPlace.stderr]).toEqual([
      2,
      expect.stringContaining('--to "nowhere" is no place'),
    ]);
    for (const flags of [" --to earliest --by 1", " --to earliest --from-file plan", ""]) {
      const { status, stderr } = await cli(`group reset readers${flags} --yes`);
      const why = flags === "" ? "say where to" : "do not go together";
      expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
    }
    await well("group reset readers --by 3 --yes");
    await well("group reset readers -t grouped:0 --by=-1 --yes");
    const lag = await data("group lag readers");
    expect(lag[0]).toMatchObject({ topic: "grouped", partition: 0, committed: 2, end: 4, lag: 2 });
    await well("group reset readers -t grouped:0 --to @1h --yes");
    expect((await data("group lag readers"))[0].committed).toBe(0);
    await well("group reset readers --from-file - --yes", { input: "grouped,0,1\n" });
    expect((await data("group lag readers"))[0].committed).toBe(1);
    const listed = await data("group list --lag");
    const row = listed.find((one: { group: string }) => one.group === "readers");
    expect(row).toMatchObject({ members: 0, topics: 1, lag: 3 });
    expect(row.type.toLowerCase()).toBe("classic");
    const misspelt = await cli("group show raeders");
    expect([misspelt.status, misspelt.stderr]).toEqual([
      1,
      expect.stringContaining("did you mean readers?"),
    ]);
    expect((await cli("group delete readers")).stderr).toContain("--yes");
    await well("group delete readers --yes");
    expect((await cli("group show readers")).status).toBe(1);
  });

  test("a group with members is shown, not reset, and can be cleared of them", async () => {
    await well("topic create membered -p 2 -r 1");
    await well("group reset team -t membered --to latest --yes");
    const client = await Client.connect({ brokers: address() });
    try {
      const memberId = await join(client, "team", "membered");
      const shown = await data("group show team");
      expect(shown.state).toBe("Stable");
      expect(shown.members).toHaveLength(1);
      expect(shown.members[0]).toMatchObject({ member: memberId, partitions: 2 });
      expect(shown.offsets[0].member).toBe(memberId);
      const refused = await cli("group reset team --to earliest --yes -o json");
      expect(refused.status).toBe(1);
      expect(JSON.parse(refused.stdout).error.code).toBe("NON_EMPTY_GROUP");
      expect((await cli("group delete team --yes")).status).toBe(1);
      expect((await cli("group members team --remove all")).stderr).toContain("--yes");
      await well(`group members team --remove ${memberId} --yes`);
      expect((await data("group show team")).state).toBe("Empty");
      const connection = await client.cluster.any();
      await connection.send(leaveGroupApi, 1, { groupId: "team", memberId });
    } finally {
      await client.close();
    }
    await well("group delete team --yes");
  });

  test("transactions are listed and missing ones named", async () => {
    expect(await data("txn list")).toEqual(expect.any(Array));
    const missing = await cli("txn show nobody -o json");
    expect(missing.status).toBe(1);
    expect(JSON.parse(missing.stdout).error.code).toBe("TRANSACTIONAL_ID_NOT_FOUND");
    await well("topic create untouched -p 1 -r 1");
    expect((await data("txn abort untouched")).transactions).toEqual([]);
  });

  test("a transaction that hangs is seen and ended", async () => {
    await well("topic create hung -p 1 -r 1");
    const client = await Client.connect({ brokers: address() });
    let producerId: number;
    try {
      producerId = await begin(client, "sleeper", "hung");
    } finally {
      await client.close();
    }
    const listed = await data("txn list --state Ongoing");
    expect(listed).toContainEqual({ transactionalId: "sleeper", producerId, state: "Ongoing" });
    const shown = await data("txn show sleeper");
    expect(shown.partitions).toEqual([{ topic: "hung", partition: 0 }]);
    expect(Date.parse(shown.startedAt)).toBeGreaterThan(Date.now() - 3_600_000);
    const byId = await cli("txn abort sleeper");
    expect(byId.status).toBe(1);
    expect(byId.stderr).toContain("mantou txn show sleeper");
    const open = await data("txn abort hung");
    const held = { producerId, startOffset: 0, transactionalId: "sleeper", hangs: false };
    expect(open).toMatchObject({ dryRun: true, transactions: [held] });
    expect((await data("txn abort hung --hanging")).transactions).toEqual([]);
    await well(`txn abort hung --producer-id ${producerId} --yes`);
    expect((await data("txn abort hung")).transactions).toEqual([]);
  });
}

/** A transaction with one record, left open. Gives the producer's id. */
async function begin(client: Client, transactionalId: string, topic: string): Promise<number> {
  const connection = await client.cluster.any();
  const init = { transactionalId, transactionTimeoutMs: 600_000 };
  const producer = await retrying(30_000, async () => {
    await connection.send(findCoordinatorApi, 1, { key: transactionalId, keyType: 1 });
    const answer = await connection.send(initProducerIdApi, 4, init);
    if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, "InitProducerId");
    return answer;
  });
  const { producerEpoch, producerId } = producer;
  const added = await connection.send(addPartitionsToTxnApi, 3, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: topic, partitions: [0] }],
  });
  expect(added.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode).toBe(0);
  const value = new TextEncoder().encode("x");
  const records = encodeBatch([{ key: null, value, timestamp: Date.now() }], {
    producerId,
    producerEpoch,
    baseSequence: 0,
    transactional: true,
  });
  const produced = await connection.send(produceApi, 9, {
    transactionalId,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
  });
  expect(produced.responses[0]?.partitionResponses[0]?.errorCode).toBe(0);
  return producerId;
}

/** A member of a classic group that reads all of a topic; it stays until its session ends. */
async function join(client: Client, groupId: string, topic: string): Promise<string> {
  const connection = await client.cluster.any();
  await connection.send(findCoordinatorApi, 1, { key: groupId });
  const metadata = encodeConsumerSubscription({ topics: [topic] }, 0);
  const request = {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId: "",
    protocolType: "consumer",
    protocols: [{ name: "range", metadata }],
  };
  const joined = await connection.send(joinGroupApi, 3, request);
  expect(joined.errorCode).toBe(0);
  const { generationId, memberId } = joined;
  const assignedPartitions = [{ topic, partitions: [0, 1] }];
  const assignment = encodeConsumerAssignment({ assignedPartitions }, 0);
  const assignments = [{ memberId, assignment }];
  const synced = await connection.send(syncGroupApi, 2, {
    groupId,
    generationId,
    memberId,
    assignments,
  });
  expect(synced.errorCode).toBe(0);
  return memberId;
}
