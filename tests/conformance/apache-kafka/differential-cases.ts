import type { Uuid } from "@mantou/base";
import {
  type AnyApi,
  alterConfigsApi,
  apiVersionsApi,
  crc32c,
  createPartitionsApi,
  createTopicsApi,
  deleteRecordsApi,
  deleteTopicsApi,
  describeClusterApi,
  describeConfigsApi,
  describeProducersApi,
  describeTopicPartitionsApi,
  encodeBatch,
  fetchApi,
  incrementalAlterConfigsApi,
  initProducerIdApi,
  listConfigResourcesApi,
  listOffsetsApi,
  metadataApi,
  offsetForLeaderEpochApi,
  produceApi,
} from "@mantou/protocol";
import { recordOf } from "../raw-requests.ts";

/** What one side knows when a request is made for it. */
export interface Side {
  readonly version: number;
  readonly ids: Readonly<Record<string, Uuid>>;
}

/** A request that both brokers get, in some versions or in all that both serve. */
export interface Case {
  readonly api: AnyApi;
  readonly label: string;
  readonly versions?: readonly number[];
  readonly request: (side: Side) => object;
}

/** Topics that are there on both sides before the first case, with a few records. */
export const TOPICS = {
  one: {},
  two: {},
  small: { "max.message.bytes": "200" },
  stamped: { "message.timestamp.type": "LogAppendTime" },
  "real.a": {},
} as const;
/** A topic in which each produce case has a partition of its own. */
export const BATCHES = { name: "batches", partitions: 100 };

const UNKNOWN_ID = "AAAAAAAAAAAAAAAAAAAAAQ" as Uuid;
const ZERO_ID = "AAAAAAAAAAAAAAAAAAAAAA" as Uuid;
const LONG_NAME = "x".repeat(250);
const BAD_NAMES = ["", ".", "..", "bad name", LONG_NAME];

/** Cases of one API, each a label, a request and, where not all, the versions. */
function of(
  api: AnyApi,
  ...cases: readonly (readonly [
    label: string,
    request: object | ((side: Side) => object),
    versions?: readonly number[],
  ])[]
): Case[] {
  return cases.map(([label, request, versions]) => ({
    api,
    label,
    request: typeof request === "function" ? (request as Case["request"]) : () => request,
    ...(versions === undefined ? {} : { versions }),
  }));
}

const named = (...names: string[]) => ({
  topics: names.map((name) => ({ name })),
  allowAutoTopicCreation: false,
});

const metadataCases = of(
  metadataApi,
  ["a few and unknown ones", named("one", "nope", "one", ...BAD_NAMES), [4, 7, 9, 12, 13]],
  ["none", { topics: [] }, [1, 4, 12]],
  [
    "by id",
    ({ ids }) => ({
      topics: [
        { name: null, topicId: ids["one"] },
        { name: null, topicId: UNKNOWN_ID },
      ],
    }),
    [12, 13],
  ],
  [
    "operations",
    ({ version }) => ({
      topics: [{ name: "one" }],
      ...(version <= 10 ? { includeClusterAuthorizedOperations: true } : {}),
      includeTopicAuthorizedOperations: true,
    }),
    [8, 10, 11, 13],
  ],
);

const listed = (timestamp: number, ...partitions: number[]) => ({
  replicaId: -1,
  topics: [
    {
      name: "one",
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp })),
    },
  ],
});

const offsetCases = [
  ...[-1, -2, -3, -4, -5, -6, -7, 0, 5, 4_000_000_000_000].flatMap((timestamp) =>
    of(listOffsetsApi, [`timestamp ${timestamp}`, listed(timestamp, 0, 1)]),
  ),
  ...of(
    listOffsetsApi,
    ["an unknown partition", listed(-1, 0, 9)],
    ["nothing", { replicaId: -1, topics: [] }],
    ["read committed", { ...listed(-1, 0), isolationLevel: 1 }, [2, 6, 11]],
  ),
  ...[-1, 0, 1, 5].flatMap((leaderEpoch) =>
    of(offsetForLeaderEpochApi, [
      `epoch ${leaderEpoch}`,
      {
        replicaId: -1,
        topics: [
          {
            topic: "one",
            partitions: [
              { partition: 0, leaderEpoch },
              { partition: 7, leaderEpoch },
              { partition: 1, leaderEpoch, currentLeaderEpoch: 9 },
            ],
          },
        ],
      },
    ]),
  ),
];

const fetched =
  (partitions: readonly object[], more: object = {}) =>
  ({ ids }: Side) => ({
    ...{ maxWaitMs: 0, minBytes: 0 },
    topics: [
      {
        ...{ topic: "one", topicId: ids["one"] },
        partitions: partitions.map((one) => ({
          ...{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000 },
          ...one,
        })),
      },
    ],
    ...more,
  });

const unknownTopic = (topicId: Uuid) => ({
  ...{ maxWaitMs: 0, minBytes: 0 },
  topics: [
    {
      ...{ topic: "nope", topicId },
      partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }],
    },
  ],
});

const fetchCases = of(
  fetchApi,
  ["two partitions", fetched([{}, { partition: 1 }])],
  ["beyond the end", fetched([{ fetchOffset: 4 }, { partition: 1, fetchOffset: 1 }])],
  ["at the end", fetched([{ fetchOffset: 3 }])],
  ["before the start", fetched([{ fetchOffset: -1 }])],
  ["an unknown partition", fetched([{ partition: 9 }])],
  ["an unknown topic", unknownTopic(UNKNOWN_ID)],
  ["the zero id", unknownTopic(ZERO_ID), [13, 17]],
  ["an epoch to come", fetched([{ currentLeaderEpoch: 7 }]), [9, 12, 13, 17]],
  [
    "a fetched epoch",
    fetched([
      { fetchOffset: 2, lastFetchedEpoch: 0 },
      { partition: 1, lastFetchedEpoch: 5 },
    ]),
    [12, 13, 17],
  ],
  ["read committed", fetched([{}], { isolationLevel: 1 })],
  ["an unknown session", fetched([{}], { sessionId: 99, sessionEpoch: 3 }), [7, 11, 13, 17]],
  ["a session to close", fetched([{}], { sessionId: 99, sessionEpoch: -1 }), [7, 11, 13]],
  ["one partition twice", fetched([{}, {}]), [4, 11, 13]],
  ["nothing", { maxWaitMs: 0, minBytes: 0, topics: [] }],
  ["no bytes", fetched([{ partitionMaxBytes: 0 }]), [4, 11, 13]],
);

let nextPartition = 0;

/** A produce request with a partition of its own, unless another is named. */
function produced(records: Uint8Array | null, more: { topic?: string; index?: number } = {}) {
  const { topic = BATCHES.name, index = topic === BATCHES.name ? nextPartition++ : 0 } = more;
  return ({ ids }: Side) => ({
    ...{ acks: -1, timeoutMs: 5000 },
    topicData: [
      { name: topic, topicId: ids[topic] ?? UNKNOWN_ID, partitionData: [{ index, records }] },
    ],
  });
}

const sound = encodeBatch([recordOf("a"), recordOf("b")]);

/** The sound batch with a change, and a checksum that fits. */
function changed(change: (view: DataView) => void): Uint8Array {
  const batch = sound.slice();
  const view = new DataView(batch.buffer);
  change(view);
  view.setUint32(17, crc32c(batch, 21));
  return batch;
}

function flipped(at: number): Uint8Array {
  const batch = sound.slice();
  batch[at] = (batch[at] as number) ^ 1;
  return batch;
}

const SOME = [3, 8, 9, 13];

const produceCases = of(
  produceApi,
  ["a sound batch", produced(sound)],
  ["acks 1", (side) => ({ ...produced(sound, { index: 99 })(side), acks: 1 }), [9]],
  ["acks 2", (side) => ({ ...produced(sound, { index: 98 })(side), acks: 2 })],
  ["an unknown topic", produced(sound, { topic: "nope" })],
  ["an unknown partition", produced(sound, { index: 1000 })],
  ["no records", produced(new Uint8Array(0)), SOME],
  ["two batches", produced(Buffer.concat([sound, sound])), SOME],
  ["a base offset", produced(encodeBatch([recordOf("a")], { baseOffset: 5 })), SOME],
  ...[17, 21, 22, 25, 60, sound.length - 1].map(
    (at) => [`a flipped bit at ${at}`, produced(flipped(at)), [9]] as const,
  ),
  ["magic 1", produced(changed((view) => view.setInt8(16, 1))), SOME],
  ["the control bit", produced(changed((view) => view.setInt16(21, 0x20))), [9]],
  ["reserved bits", produced(changed((view) => view.setInt16(21, 0x80))), [9]],
  ...[0, 1, 3, -1].map(
    (count) => [`count ${count}`, produced(changed((v) => v.setInt32(57, count))), [9]] as const,
  ),
  ["a last offset too high", produced(changed((view) => view.setInt32(23, 5))), [9]],
  ["a length too low", produced(changed((view) => view.setInt32(8, 20))), [9]],
  ["a negative length", produced(changed((view) => view.setInt32(8, -5))), [9]],
  [
    "a producer without sequence",
    produced(encodeBatch([recordOf("a")], { producerId: 5, producerEpoch: 0 })),
    [9],
  ],
  [
    "a sequence without producer",
    produced(encodeBatch([recordOf("a")], { baseSequence: 3, producerEpoch: 2 })),
    [9],
  ],
  ["too large", produced(encodeBatch([recordOf("a".repeat(400))]), { topic: "small" }), SOME],
  ["from the future", produced(encodeBatch([recordOf("a", Date.now() + 1e9)])), SOME],
  ["without a timestamp", produced(encodeBatch([recordOf("a", -1)])), [9]],
  ["stamped by the broker", produced(sound, { topic: "stamped" }), [9]],
  [
    "from the future, stamped by the broker",
    produced(encodeBatch([recordOf("a", Date.now() + 1e9)]), { topic: "stamped" }),
    [9],
  ],
  ["nothing", { acks: -1, timeoutMs: 5000, topicData: [] }],
);

const INT32_MAX = 0x7fff_ffff;

/** One after the other in one partition: what an idempotent producer may and may not send. */
const sequenceCases = (
  [
    ["first", 0, 0, 1, 99],
    ["next", 1, 0, 1, 99],
    ["the same again", 1, 0, 1, 99],
    ["the first again", 0, 0, 1, 99],
    ["a gap", 5, 0, 1, 99],
    ["two records", 2, 0, 2, 99],
    ["the first of the two", 2, 0, 1, 99],
    ["the two and one more", 2, 0, 3, 99],
    ["a new epoch in the middle", 5, 1, 1, 99],
    ["a new epoch", 0, 1, 1, 99],
    ["the old epoch", 4, 0, 1, 99],
    ["another producer in the middle", 7, 0, 1, 100],
    ["the last sequence", INT32_MAX, 0, 1, 101],
    ["the one behind the last", 0, 0, 1, 101],
    ["over the last", INT32_MAX - 1, 0, 3, 102],
    ["behind that", 1, 0, 1, 102],
  ] as const
).flatMap(([label, baseSequence, producerEpoch, count, producerId]) => {
  const records = Array.from({ length: count }, () => recordOf("s"));
  const batch = encodeBatch(records, { producerId, producerEpoch, baseSequence });
  return of(produceApi, [`sequence: ${label}`, produced(batch, { topic: "two", index: 1 }), [9]]);
});

const topicOf = (name: string, more: object = {}) => ({
  ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
  ...more,
});
const assigned = (...brokerIds: readonly (readonly number[])[]) => ({
  ...{ numPartitions: -1, replicationFactor: -1 },
  assignments: brokerIds.map((ids, partitionIndex) => ({ partitionIndex, brokerIds: ids })),
});
const set = (name: string, value: string | null) => ({ configs: [{ name, value }] });

const createCases = [
  ...[
    topicOf("one"),
    ...BAD_NAMES.map((name) => topicOf(name)),
    topicOf("no-partitions", { numPartitions: 0 }),
    topicOf("negative", { numPartitions: -2 }),
    topicOf("two-copies", { replicationFactor: 2 }),
    topicOf("no-copies", { replicationFactor: 0 }),
    topicOf("unknown-config", set("nope", "1")),
    topicOf("no-number", set("retention.ms", "x")),
    topicOf("null-config", set("retention.ms", null)),
    topicOf("too-low", set("segment.bytes", "1")),
    topicOf("unknown-policy", set("cleanup.policy", "shred")),
    topicOf("both", { assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
    topicOf("gap", { ...assigned(), assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
    topicOf("unknown-broker", assigned([9])),
    topicOf("broker-twice", assigned([1, 1])),
    topicOf("no-broker", assigned([])),
  ].flatMap((topic) =>
    of(createTopicsApi, [
      `"${topic.name.slice(0, 20)}"`,
      { topics: [topic], validateOnly: true, timeoutMs: 3000 },
      [2, 5, 7],
    ]),
  ),
  ...of(
    createTopicsApi,
    ["twice", { topics: [topicOf("dup"), topicOf("dup")], validateOnly: true }, [2, 7]],
    ["defaults", { topics: [topicOf("all", assigned())], validateOnly: true }, [2, 3, 5, 7]],
    [
      "with a line for another topic's dot",
      { topics: [topicOf("real_a")], validateOnly: true },
      [2, 7],
    ],
    ["nothing", { topics: [] }, [2, 7]],
  ),
];

const anonymous = { name: null, topicId: ZERO_ID };
const nope = { name: "nope", topicId: ZERO_ID };

const deleteCases = of(
  deleteTopicsApi,
  ["unknown names", { topicNames: ["nope", "nope", "bad name"], timeoutMs: 2000 }, [1, 3, 5]],
  ["unknown ids", { topics: [{ name: null, topicId: UNKNOWN_ID }, nope], timeoutMs: 2000 }, [6]],
  [
    "id and name",
    ({ ids }) => ({ topics: [{ name: "one", topicId: ids["one"] }], timeoutMs: 2000 }),
    [6],
  ],
  ["neither", { topics: [anonymous], timeoutMs: 2000 }, [6]],
  ["twice", { topics: [nope, nope], timeoutMs: 2000 }, [6]],
);

const grown = (
  name: string,
  count: number,
  assignments: readonly (readonly number[])[] | null,
) => ({
  topics: [{ name, count, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null }],
  ...{ timeoutMs: 2000, validateOnly: true },
});

const partitionCases = (
  [
    ["one", 3, null],
    ["one", 2, null],
    ["one", 1, null],
    ["one", 0, null],
    ["one", -1, null],
    ["nope", 3, null],
    ["bad name", 3, null],
    ["one", 3, [[1]]],
    ["one", 3, [[9]]],
    ["one", 3, []],
    ["one", 4, [[1]]],
    ["one", 3, [[]]],
    ["one", 3, [[1, 1]]],
  ] as const
).flatMap(([name, count, assignments]) =>
  of(createPartitionsApi, [
    `${name} to ${count} ${JSON.stringify(assignments)}`,
    grown(name, count, assignments),
    [0, 2, 3],
  ]),
);

const trimmed = (name: string, partitionIndex: number, offset: number) => ({
  topics: [{ name, partitions: [{ partitionIndex, offset }] }],
  timeoutMs: 2000,
});

const trimCases = (
  [
    ["one", 0, 1],
    ["one", 0, 0],
    ["one", 0, -2],
    ["one", 0, 1_000_000],
    ["one", 9, 0],
    ["nope", 0, 0],
    ["one", 1, 0],
    ["one", 0, -1],
  ] as const
).flatMap(([name, partition, offset]) =>
  of(deleteRecordsApi, [`${name}-${partition} to ${offset}`, trimmed(name, partition, offset)]),
);

const TOPIC = 2;
const BROKER = 4;

const described = (resourceType: number, resourceName: string, ...configurationKeys: string[]) => ({
  resources: [{ resourceType, resourceName, configurationKeys }],
});

const describeCases = of(
  describeConfigsApi,
  ["two of a topic", described(TOPIC, "one", "retention.ms", "nope", "max.message.bytes")],
  ["a set one", { ...described(TOPIC, "small", "max.message.bytes"), includeSynonyms: true }],
  ["an unknown topic", described(TOPIC, "nope", "retention.ms"), [1, 4]],
  ["a bad name", described(TOPIC, "bad name", "retention.ms"), [1, 4]],
  ["all brokers", described(BROKER, "", "num.partitions", "message.max.bytes"), [1, 4]],
  ["an unknown broker", described(BROKER, "9", "num.partitions"), [1, 4]],
  ["no broker id", described(BROKER, "x", "num.partitions"), [1, 4]],
  ["an unknown kind", described(3, "x", "num.partitions"), [1, 4]],
);

type Change = readonly [type: number, name: string, config: string];

const altered = ([type, name, config]: Change, operation: number, value: string | null) => ({
  resources: [
    {
      ...{ resourceType: type, resourceName: name },
      configs: [{ name: config, configOperation: operation, value }],
    },
  ],
  validateOnly: true,
});
const replaced = ([type, name, config]: Change, value: string | null) => ({
  resources: [{ resourceType: type, resourceName: name, configs: [{ name: config, value }] }],
  validateOnly: true,
});

const alterCases = [
  ...(
    [
      [[TOPIC, "one", "retention.ms"], 0, "5"],
      [[TOPIC, "one", "retention.ms"], 0, "x"],
      [[TOPIC, "one", "retention.ms"], 0, null],
      [[TOPIC, "one", "retention.ms"], 1, null],
      [[TOPIC, "one", "retention.ms"], 2, "5"],
      [[TOPIC, "one", "retention.ms"], 3, "5"],
      [[TOPIC, "one", "cleanup.policy"], 2, "delete"],
      [[TOPIC, "one", "nope"], 0, "5"],
      [[TOPIC, "nope", "retention.ms"], 0, "5"],
      [[TOPIC, "bad name", "retention.ms"], 0, "5"],
      [[TOPIC, "one", "min.insync.replicas"], 0, "0"],
      [[TOPIC, "one", "segment.bytes"], 0, "13"],
      [[BROKER, "1", "message.max.bytes"], 0, "5000"],
      [[BROKER, "", "message.max.bytes"], 0, "5000"],
      [[BROKER, "x", "message.max.bytes"], 0, "5000"],
      [[3, "x", "y"], 0, "1"],
    ] as const
  ).flatMap(([change, operation, value]) =>
    of(incrementalAlterConfigsApi, [
      `${change} ${operation} ${value}`,
      altered(change, operation, value),
    ]),
  ),
  ...(
    [
      [[TOPIC, "one", "retention.ms"], "5"],
      [[TOPIC, "one", "retention.ms"], null],
      [[TOPIC, "one", "nope"], "5"],
      [[TOPIC, "nope", "retention.ms"], "5"],
      [[BROKER, "1", "message.max.bytes"], "5000"],
      [[3, "x", "y"], "5"],
    ] as const
  ).flatMap(([change, value]) =>
    of(alterConfigsApi, [`${change} ${value}`, replaced(change, value)]),
  ),
];

const identified = (producerId: number, producerEpoch: number) => ({
  ...{ transactionalId: null, transactionTimeoutMs: 1000, producerId, producerEpoch },
});
const software = (clientSoftwareName: string, clientSoftwareVersion: string) => ({
  ...{ clientSoftwareName, clientSoftwareVersion },
});

const otherCases = [
  ...of(
    initProducerIdApi,
    ["a new id", { transactionalId: null, transactionTimeoutMs: 1000 }],
    ["an empty transactional id", { transactionalId: "", transactionTimeoutMs: 1000 }],
    ["an id that is given", identified(5, 1), [3, 4, 5]],
    ["half an identity", identified(5, -1), [3, 4, 5]],
  ),
  ...of(describeProducersApi, [
    "some and unknown ones",
    {
      topics: [
        { name: "one", partitionIndexes: [0, 9] },
        { name: "nope", partitionIndexes: [0] },
      ],
    },
  ]),
  ...of(
    describeClusterApi,
    ["with operations", { includeClusterAuthorizedOperations: true }],
    ["an unknown endpoint", { includeClusterAuthorizedOperations: false, endpointType: 3 }, [1, 2]],
  ),
  ...of(
    describeTopicPartitionsApi,
    ["a limit", { topics: [{ name: "one" }, { name: "two" }], responsePartitionLimit: 1 }],
    ["over two topics", { topics: [{ name: "two" }, { name: "one" }], responsePartitionLimit: 3 }],
    [
      "a cursor",
      {
        topics: [{ name: "one" }, { name: "two" }],
        cursor: { topicName: "one", partitionIndex: 1 },
      },
    ],
  ),
  ...[[2], [4], [8], [16], [32], [3]].flatMap((resourceTypes) =>
    of(listConfigResourcesApi, [`kinds ${resourceTypes}`, { resourceTypes }, [1]]),
  ),
  ...of(
    apiVersionsApi,
    ["no name", software("", "1"), [3, 4]],
    ["no version", software("a", ""), [3, 4]],
    ["a space", software("a b", "1"), [3, 4]],
    ["a line first", software("-a", "1"), [3, 4]],
    ["a line last", software("a-", "1"), [3, 4]],
  ),
];

/** In this order: later cases see what earlier ones wrote. */
export const cases: readonly Case[] = [
  ...metadataCases,
  ...offsetCases,
  ...fetchCases,
  ...produceCases,
  ...sequenceCases,
  ...createCases,
  ...deleteCases,
  ...partitionCases,
  ...trimCases,
  ...describeCases,
  ...alterCases,
  ...otherCases,
];
