import { describe, expect, test } from "bun:test";
import type { Uuid } from "@mantou/base";
import type { AnyApi } from "../src/index.ts";
import { Reader, Writer, apiVersionsApi, fetchApi, metadataApi, produceApi } from "../src/index.ts";
import { withBytes } from "./random-value.ts";

/**
 * Messages whose bytes were worked out by hand from the description of the protocol, field by
 * field, so that encode and decode are not only right about each other.
 */

/** Hex with spaces; what follows a `|` is a note. */
const bytesOf = (text: string): Uint8Array =>
  Uint8Array.fromHex(text.replaceAll(/\|.*$/gm, "").replaceAll(/\s+/g, ""));

const ID = "AAECAwQFBgcICQoLDA0ODw" as Uuid;
const ID_HEX = "000102030405060708090a0b0c0d0e0f";
const ZERO_ID_HEX = "00".repeat(16);
const NO_EPOCH = { epoch: -1, endOffset: -1 };
const NO_LEADER = { leaderId: -1, leaderEpoch: -1 };
const NO_SNAPSHOT = { endOffset: -1, epoch: -1 };
const RECORDS = Uint8Array.of(0xde, 0xad, 0xbe);

interface Golden {
  readonly api: AnyApi;
  readonly direction: "request" | "response";
  readonly version: number;
  readonly hex: string;
  /** What decode gives, with bytes for spans. Encoding it gives the bytes again. */
  readonly value: object;
}

const VECTORS: Golden[] = [
  {
    api: apiVersionsApi,
    direction: "request",
    version: 0,
    hex: "",
    value: { clientSoftwareName: "", clientSoftwareVersion: "", clusterId: null, nodeId: -1 },
  },
  {
    api: apiVersionsApi,
    direction: "request",
    version: 3,
    hex: `
      05 6b636174    | 4 + 1, then "kcat"
      06 312e372e30  | "1.7.0"
      00
    `,
    value: {
      clientSoftwareName: "kcat",
      clientSoftwareVersion: "1.7.0",
      clusterId: null,
      nodeId: -1,
    },
  },
  {
    api: apiVersionsApi,
    direction: "response",
    version: 0,
    hex: `
      0023            | UNSUPPORTED_VERSION
      00000001        | one api
      0012 0000 0005  | ApiVersions 0 to 5
    `,
    value: {
      errorCode: 35,
      apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 5 }],
      throttleTimeMs: 0,
      supportedFeatures: [],
      finalizedFeaturesEpoch: -1,
      finalizedFeatures: [],
      zkMigrationReady: false,
    },
  },
  {
    api: apiVersionsApi,
    direction: "response",
    version: 3,
    hex: `
      0000
      03                     | two apis
      0000 0003 000d 00      | Produce, no tags
      0012 0000 0005 00      | ApiVersions, no tags
      00000064               | throttled for 100 ms
      03                     | three tagged fields
      00 08                  | supported features, 8 bytes:
      02 02 66 0001 0002 00  |   one, "f", 1 to 2, no tags
      01 08                  | epoch, 8 bytes
      0000000000000007
      02 08                  | finalized features, 8 bytes:
      02 02 66 0002 0001 00  |   one, "f", highest 2, lowest 1, no tags
    `,
    value: {
      errorCode: 0,
      apiKeys: [
        { apiKey: 0, minVersion: 3, maxVersion: 13 },
        { apiKey: 18, minVersion: 0, maxVersion: 5 },
      ],
      throttleTimeMs: 100,
      supportedFeatures: [{ name: "f", minVersion: 1, maxVersion: 2 }],
      finalizedFeaturesEpoch: 7,
      finalizedFeatures: [{ name: "f", maxVersionLevel: 2, minVersionLevel: 1 }],
      zkMigrationReady: false,
    },
  },
  {
    api: metadataApi,
    direction: "request",
    version: 0,
    hex: "00000001 0003 666f6f",
    value: {
      topics: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAA", name: "foo" }],
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    },
  },
  {
    api: metadataApi,
    direction: "request",
    version: 12,
    hex: `
      03                       | two topics
      ${ZERO_ID_HEX} 04 666f6f 00  | by name
      ${ID_HEX} 00 00              | by id: the name is null
      00                       | no auto-creation
      01                       | topic operations wanted
      00
    `,
    value: {
      topics: [
        { topicId: "AAAAAAAAAAAAAAAAAAAAAA", name: "foo" },
        { topicId: ID, name: null },
      ],
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: true,
    },
  },
  {
    api: metadataApi,
    direction: "response",
    version: 0,
    hex: `
      00000001                        | one broker
      00000002 0001 68 00002384       | id 2, "h", port 9092
      00000001                        | one topic
      0000 0003 666f6f                | "foo"
      00000001                        | one partition
      0000 00000000 00000002          | partition 0, leader 2
      00000002 00000002 00000003      | replicas 2 and 3
      00000001 00000002               | in sync: 2
    `,
    value: {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 2, host: "h", port: 9092, rack: null }],
      clusterId: null,
      controllerId: -1,
      topics: [
        {
          errorCode: 0,
          name: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          isInternal: false,
          partitions: [
            {
              errorCode: 0,
              partitionIndex: 0,
              leaderId: 2,
              leaderEpoch: -1,
              replicaNodes: [2, 3],
              isrNodes: [2],
              offlineReplicas: [],
            },
          ],
          topicAuthorizedOperations: -2147483648,
        },
      ],
      clusterAuthorizedOperations: -2147483648,
      errorCode: 0,
    },
  },
  {
    api: metadataApi,
    direction: "response",
    version: 12,
    hex: `
      00000000
      02 00000002 02 68 00002384 02 72 00  | one broker, rack "r"
      03 6964                              | cluster "id"
      00000002                             | controller
      02                                   | one topic
      0005 04 666f6f ${ID_HEX} 01            | LEADER_NOT_AVAILABLE, internal
      02                                   | one partition
      0000 00000000 00000002 00000007      | leader 2 in epoch 7
      03 00000002 00000003                 | replicas
      02 00000002                          | in sync
      01                                   | none offline
      00
      00000df8                             | operations
      00
      00
    `,
    value: {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 2, host: "h", port: 9092, rack: "r" }],
      clusterId: "id",
      controllerId: 2,
      topics: [
        {
          errorCode: 5,
          name: "foo",
          topicId: ID,
          isInternal: true,
          partitions: [
            {
              errorCode: 0,
              partitionIndex: 0,
              leaderId: 2,
              leaderEpoch: 7,
              replicaNodes: [2, 3],
              isrNodes: [2],
              offlineReplicas: [],
            },
          ],
          topicAuthorizedOperations: 0xdf8,
        },
      ],
      clusterAuthorizedOperations: -2147483648,
      errorCode: 0,
    },
  },
  {
    api: produceApi,
    direction: "request",
    version: 3,
    hex: `
      ffff             | not transactional
      ffff             | acks=all
      00007530         | 30 s
      00000001 0003 666f6f
      00000002
      00000000 00000003 deadbe
      00000001 ffffffff | null records
    `,
    value: {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [
        {
          name: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitionData: [
            { index: 0, records: RECORDS },
            { index: 1, records: null },
          ],
        },
      ],
    },
  },
  {
    api: produceApi,
    direction: "request",
    version: 9,
    hex: `
      03 7478           | transactional id "tx"
      0001 00007530
      02 04 666f6f
      03
      00000000 04 deadbe 00
      00000001 00 00
      00
      00
    `,
    value: {
      transactionalId: "tx",
      acks: 1,
      timeoutMs: 30_000,
      topicData: [
        {
          name: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitionData: [
            { index: 0, records: RECORDS },
            { index: 1, records: null },
          ],
        },
      ],
    },
  },
  {
    api: produceApi,
    direction: "response",
    version: 3,
    hex: `
      00000001 0003 666f6f
      00000001
      00000000 0000 0000000100000002 ffffffffffffffff
      00000005          | throttle time comes last
    `,
    value: {
      responses: [
        {
          name: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitionResponses: [
            {
              index: 0,
              errorCode: 0,
              baseOffset: 0x1_0000_0002,
              logAppendTimeMs: -1,
              logStartOffset: -1,
              recordErrors: [],
              errorMessage: null,
              currentLeader: NO_LEADER,
            },
          ],
        },
      ],
      throttleTimeMs: 5,
      nodeEndpoints: [],
    },
  },
  {
    api: produceApi,
    direction: "response",
    version: 10,
    hex: `
      02 04 666f6f
      02
      00000000 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff
      02 00000000 00 00            | one record error, without a message
      00                           | no message
      01 00 09 00000002 00000007 00  | one tag: the leader is 2 in epoch 7
      00
      00000000
      01 00 0d                     | one tag: node endpoints, 13 bytes
      02 00000002 02 68 00002384 00 00
    `,
    value: {
      responses: [
        {
          name: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitionResponses: [
            {
              index: 0,
              errorCode: 6,
              baseOffset: -1,
              logAppendTimeMs: -1,
              logStartOffset: -1,
              recordErrors: [{ batchIndex: 0, batchIndexErrorMessage: null }],
              errorMessage: null,
              currentLeader: { leaderId: 2, leaderEpoch: 7 },
            },
          ],
        },
      ],
      throttleTimeMs: 0,
      nodeEndpoints: [{ nodeId: 2, host: "h", port: 9092, rack: null }],
    },
  },
  {
    api: fetchApi,
    direction: "request",
    version: 4,
    hex: `
      ffffffff 000001f4 00000001 03200000 00  | consumer, 500 ms, 1 byte, 50 MiB, uncommitted
      00000001 0003 666f6f
      00000001
      00000000 0000000000000064 00100000      | partition 0 from 100, 1 MiB
    `,
    value: {
      clusterId: null,
      replicaId: -1,
      replicaState: { replicaId: -1, replicaEpoch: -1 },
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 0x320_0000,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: -1,
              fetchOffset: 100,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 0x10_0000,
              replicaDirectoryId: "AAAAAAAAAAAAAAAAAAAAAA",
              highWatermark: Number.MAX_SAFE_INTEGER,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
      rackId: "",
    },
  },
  {
    api: fetchApi,
    direction: "request",
    version: 12,
    hex: `
      ffffffff 000001f4 00000001 03200000 01  | committed only
      00000011 00000003                       | session 17, epoch 3
      02 04 666f6f
      02
      00000000 00000007 0000000000000064 00000006 ffffffffffffffff 00100000 00
      00
      02 04 626172 03 00000000 00000001 00    | forget "bar" 0 and 1
      03 7231                                 | rack "r1"
      01 00 03 03 6964                        | tag 0: cluster "id"
    `,
    value: {
      clusterId: "id",
      replicaId: -1,
      replicaState: { replicaId: -1, replicaEpoch: -1 },
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 0x320_0000,
      isolationLevel: 1,
      sessionId: 17,
      sessionEpoch: 3,
      topics: [
        {
          topic: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: 7,
              fetchOffset: 100,
              lastFetchedEpoch: 6,
              logStartOffset: -1,
              partitionMaxBytes: 0x10_0000,
              replicaDirectoryId: "AAAAAAAAAAAAAAAAAAAAAA",
              highWatermark: Number.MAX_SAFE_INTEGER,
            },
          ],
        },
      ],
      forgottenTopicsData: [
        { topic: "bar", topicId: "AAAAAAAAAAAAAAAAAAAAAA", partitions: [0, 1] },
      ],
      rackId: "r1",
    },
  },
  {
    api: fetchApi,
    direction: "response",
    version: 4,
    hex: `
      00000000
      00000001 0003 666f6f
      00000001
      00000000 0000 00000000000000c8 00000000000000c0  | watermark 200, stable 192
      00000001 0000000000000009 0000000000000064       | producer 9 aborted from 100
      00000003 deadbe
    `,
    value: {
      throttleTimeMs: 0,
      errorCode: 0,
      sessionId: 0,
      responses: [
        {
          topic: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 200,
              lastStableOffset: 192,
              logStartOffset: -1,
              divergingEpoch: NO_EPOCH,
              currentLeader: NO_LEADER,
              snapshotId: NO_SNAPSHOT,
              abortedTransactions: [{ producerId: 9, firstOffset: 100 }],
              preferredReadReplica: -1,
              records: RECORDS,
            },
          ],
        },
      ],
      nodeEndpoints: [],
    },
  },
  {
    api: fetchApi,
    direction: "response",
    version: 12,
    hex: `
      00000000 0000 00000011
      02 04 666f6f
      02
      00000000 0000 00000000000000c8 00000000000000c8 0000000000000000
      00                                        | null aborted transactions
      ffffffff                                  | no preferred replica
      01                                        | empty records, not null
      01 00 0d 00000006 0000000000000063 00     | tag 0: epoch 6 ended at 99
      00
      00
    `,
    value: {
      throttleTimeMs: 0,
      errorCode: 0,
      sessionId: 17,
      responses: [
        {
          topic: "foo",
          topicId: "AAAAAAAAAAAAAAAAAAAAAA",
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 200,
              lastStableOffset: 200,
              logStartOffset: 0,
              divergingEpoch: { epoch: 6, endOffset: 99 },
              currentLeader: NO_LEADER,
              snapshotId: NO_SNAPSHOT,
              abortedTransactions: null,
              preferredReadReplica: -1,
              records: new Uint8Array(0),
            },
          ],
        },
      ],
      nodeEndpoints: [],
    },
  },
];

describe("messages by hand", () => {
  for (const { api, direction, version, hex, value } of VECTORS) {
    const codec = api[direction];
    const bytes = bytesOf(hex);

    test(`${codec.name} v${version} encodes`, () => {
      const writer = new Writer(16);
      codec.encode(writer, value, version);
      expect(writer.toBytes().toHex()).toBe(bytes.toHex());
    });

    test(`${codec.name} v${version} decodes`, () => {
      const reader = new Reader(bytes);
      expect(withBytes(codec.decode(reader, version), codec.schema, bytes)).toEqual(value);
      expect(reader.remaining).toBe(0);
    });
  }
});
