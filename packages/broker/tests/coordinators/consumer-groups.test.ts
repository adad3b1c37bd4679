import { describe, expect, test } from "bun:test";
import {
  ErrorCode,
  consumerGroupDescribeApi,
  consumerGroupHeartbeatApi,
  incrementalAlterConfigsApi,
} from "@mantou/protocol";
import { startInProcess } from "../in-process-broker.ts";
import { closing, createTopic, findGroup, settings, versionsOf } from "./group-requests.ts";

describe("consumer groups over the wire", () => {
  test("join, assignment, heartbeat, describe, leave; the group's settings are in force", async () => {
    await using broker = await startInProcess(settings);
    await using connection = closing(await broker.connect());
    const topicId = await createTopic(connection.it, "t");
    await findGroup(connection.it, "g");
    const setting = { name: "consumer.heartbeat.interval.ms", configOperation: 0, value: "7000" };
    const altered = await connection.it.send(incrementalAlterConfigsApi, 1, {
      resources: [{ resourceType: 32, resourceName: "g", configs: [setting] }],
      validateOnly: false,
    });
    expect(altered.responses[0]?.errorCode).toBe(ErrorCode.NONE);
    const memberId = "AAAAAAAAAAAAAAAAAAAAAQ";
    const joined = await connection.it.send(consumerGroupHeartbeatApi, 1, {
      ...{ groupId: "g", memberId, memberEpoch: 0, rebalanceTimeoutMs: 30_000 },
      ...{ subscribedTopicNames: ["t"], topicPartitions: [] },
    });
    expect(joined).toMatchObject({ errorCode: 0, memberId, heartbeatIntervalMs: 7000 });
    let epoch = joined.memberEpoch;
    let assigned = joined.assignment;
    while (assigned === null || assigned.topicPartitions.length === 0) {
      const beat = { groupId: "g", memberId, memberEpoch: epoch };
      const next = await connection.it.send(consumerGroupHeartbeatApi, 1, beat);
      expect(next.errorCode).toBe(ErrorCode.NONE);
      epoch = next.memberEpoch;
      assigned = next.assignment ?? assigned;
    }
    expect(assigned.topicPartitions).toMatchObject([{ topicId, partitions: [0, 1] }]);
    for (const version of versionsOf(consumerGroupDescribeApi)) {
      const asked = { groupIds: ["g", "none"], includeAuthorizedOperations: true };
      const { groups } = await connection.it.send(consumerGroupDescribeApi, version, asked);
      expect(groups[0]).toMatchObject({ groupId: "g", errorCode: 0, authorizedOperations: 0xd48 });
      expect(groups[0]?.members[0]).toMatchObject({ memberId, clientHost: "/127.0.0.1" });
      expect(groups[1]).toMatchObject({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND });
    }
    const leave = { groupId: "g", memberId, memberEpoch: -1 };
    const left = await connection.it.send(consumerGroupHeartbeatApi, 1, leave);
    expect(left).toMatchObject({ errorCode: 0, memberEpoch: -1 });
  });
});
