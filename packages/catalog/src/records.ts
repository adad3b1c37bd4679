import { type Result, err, ok } from "@mantou/base";
import {
  ByteReader,
  ByteWriter,
  type Field,
  RecordFormatError,
  bool,
  int32,
  int32s,
  list,
  nullable,
  string,
  struct,
  uint53,
  uuid,
} from "./record-codec.ts";

/** A network address of a broker under the name of one of its listeners. */
const endpoint = struct({ listener: string, host: string, port: int32, securityProtocol: string });

interface RecordFormat<T> {
  /** The number of the record kind on disk. Never given to another kind. */
  readonly id: number;
  /** The only version that is written; reading knows it alone until there is a second one. */
  readonly version: number;
  readonly body: Field<T>;
}

const format = <T>(id: number, version: number, body: Field<T>): RecordFormat<T> => ({
  id,
  version,
  body,
});

/** Every kind of metadata record: what can happen to the image. `apply` is its only reader. */
export const recordFormats = {
  /** The cluster has its name. First record of every metadata log. */
  cluster: format(1, 0, struct({ clusterId: string })),
  /** Counters that no other record implies any more. Only in snapshots. */
  counters: format(
    2,
    0,
    struct({ nextProducerId: uint53, lastBrokerEpoch: uint53, featuresEpoch: uint53 }),
  ),
  /** A feature is finalised at a level. Level 0 takes it back. */
  featureLevel: format(3, 0, struct({ name: string, level: int32 })),
  /** A broker process announced itself; it replaces what was known of that node. */
  registerBroker: format(
    4,
    0,
    struct({
      nodeId: int32,
      incarnationId: uuid,
      epoch: uint53,
      rack: nullable(string),
      endpoints: list(endpoint),
      fenced: bool,
    }),
  ),
  brokerFenced: format(5, 0, struct({ nodeId: int32, fenced: bool })),
  unregisterBroker: format(6, 0, struct({ nodeId: int32 })),
  /** A topic without partitions; `partitions` records of the same batch follow. */
  topic: format(7, 0, struct({ topicId: uuid, name: string })),
  /**
   * Partitions `firstPartition`, `firstPartition + 1`, … of a topic, whole. `replicas` and `isr`
   * hold `width` node ids for each of them, padded with -1; the other lists hold one number each.
   */
  partitions: format(
    8,
    0,
    struct({
      topicId: uuid,
      firstPartition: int32,
      width: int32,
      replicas: int32s,
      isr: int32s,
      leaders: int32s,
      leaderEpochs: int32s,
      partitionEpochs: int32s,
    }),
  ),
  /**
   * The same change for several partitions of one topic. `leader` -2 leaves the leader and its
   * epoch; any other value sets it and raises the leader epoch, also when it is the same node.
   * The partition epoch rises always. `isr` null leaves the in-sync set.
   */
  partitionChange: format(
    9,
    0,
    struct({ topicId: uuid, partitions: int32s, leader: int32, isr: nullable(int32s) }),
  ),
  removeTopic: format(10, 0, struct({ topicId: uuid })),
  /** `value` null removes the setting. `resourceType` as on the wire: 2 topic, 4 broker. */
  config: format(
    11,
    0,
    struct({ resourceType: int32, resourceName: string, name: string, value: nullable(string) }),
  ),
  /** Producer ids below `nextProducerId` are given out, the last block to `nodeId`. */
  producerIds: format(12, 0, struct({ nodeId: int32, nextProducerId: uint53 })),
};

type Formats = typeof recordFormats;
type BodyOf<F> = F extends RecordFormat<infer T> ? T : never;
export type RecordKind = keyof Formats;
export type RecordOf<K extends RecordKind> = { readonly kind: K } & BodyOf<Formats[K]>;
export type MetadataRecord = { [K in RecordKind]: RecordOf<K> }[RecordKind];
export type Endpoint = RecordOf<"registerBroker">["endpoints"][number];

/** In `partitionChange.leader`: the leader and its epoch stay. */
export const LEADER_UNCHANGED = -2;
/** No leader: no member of the in-sync set is alive. */
export const NO_LEADER = -1;

/**
 * Why bytes cannot be taken as metadata. All of them are fatal for the process that replays: a
 * newer version wrote the log, or the disk lies.
 */
export interface RecordFault {
  readonly kind: "unknown-format" | "unknown-record" | "unknown-version" | "malformed";
  readonly message: string;
}

/** The first byte of every batch. */
const BATCH_FORMAT = 1;

const kindsById = new Map<number, RecordKind>(
  Object.entries(recordFormats).map(([kind, { id }]) => [id, kind as RecordKind]),
);

/**
 * One batch: format byte, count, then per record its kind, its version, its length and its body.
 * A batch is one entry of the metadata log, so the records of a command take effect together.
 */
export function encodeRecords(records: readonly MetadataRecord[]): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(BATCH_FORMAT);
  writer.uvarint(records.length);
  for (const record of records) {
    const { id, version, body } = recordFormats[record.kind] as RecordFormat<unknown>;
    const bodyWriter = new ByteWriter();
    body.write(bodyWriter, record);
    writer.uvarint(id);
    writer.uvarint(version);
    writer.uvarint(bodyWriter.length);
    writer.raw(bodyWriter.finish());
  }
  return writer.finish();
}

export function decodeRecords(bytes: Uint8Array): Result<MetadataRecord[], RecordFault> {
  try {
    return readBatch(new ByteReader(bytes));
  } catch (error) {
    if (!(error instanceof RecordFormatError)) throw error;
    return err({ kind: "malformed", message: `a metadata record ${error.message}` });
  }
}

function readBatch(reader: ByteReader): Result<MetadataRecord[], RecordFault> {
  const batchFormat = reader.u8();
  if (batchFormat !== BATCH_FORMAT) {
    const message = `metadata batch of format ${batchFormat}; this version reads ${BATCH_FORMAT}`;
    return err({ kind: "unknown-format", message });
  }
  const records: MetadataRecord[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const id = reader.uvarint();
    const version = reader.uvarint();
    const body = new ByteReader(reader.raw(reader.uvarint()));
    const kind = kindsById.get(id);
    if (kind === undefined) {
      const message = `metadata record of unknown kind ${id}: a newer version wrote it`;
      return err({ kind: "unknown-record", message });
    }
    const known = recordFormats[kind] as RecordFormat<object>;
    if (version !== known.version) {
      const message = `metadata record ${kind} of version ${version}; this version reads ${known.version}`;
      return err({ kind: "unknown-version", message });
    }
    const value = known.body.read(body);
    if (body.remaining > 0) {
      return err({ kind: "malformed", message: `metadata record ${kind} has bytes left over` });
    }
    records.push({ kind, ...value } as MetadataRecord);
  }
  if (reader.remaining > 0) {
    return err({ kind: "malformed", message: "a metadata batch has bytes behind its last record" });
  }
  return ok(records);
}
