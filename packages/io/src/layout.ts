/**
 * The tables that cross between TypeScript and the engine. This file is their only source:
 * `scripts/generate-layout.ts` writes `native/addon/src/layout.rs` from it, and Rust asserts it.
 *
 * A table is one ArrayBuffer of fixed rows seen through a Uint32Array (words) and a Float64Array
 * (doubles). A field is a word index in its row, or, where it ends in `F64`, a double index
 * (two words). 64-bit values cross as doubles and stay below 2^53.
 */

/** Events: what happened since the last drain. 8 words (4 doubles) a row. */
export const EVENT_WORDS = 8;
export const Event = {
  /** One of {@link EventKind}. */
  kind: 0,
  // Network rows: OPENED, FRAME, CLOSED, CONNECTED, CONNECT_FAILED.
  /** Connection slot, and the generation that tells this use of the slot from earlier ones. */
  connection: 1,
  generation: 2,
  /** FRAME: byte offset in the arena of the first byte after the length prefix. */
  frameOffset: 3,
  /** FRAME: bytes in the frame, without the prefix. */
  frameLength: 4,
  /** FRAME, inbound: api key in the high half, version in the low half, both as on the wire. */
  api: 5,
  /** FRAME: correlation id. */
  correlationId: 6,
  /** FRAME, inbound: the place of its response in the connection's order, counted from 0. */
  sequence: 7,
  /** OPENED: the listener's id. CONNECTED, CONNECT_FAILED: the caller's `connectId`. */
  listenerId: 3,
  /** CLOSED: one of {@link CloseReason}. CONNECT_FAILED: errno. */
  reason: 4,

  // Log rows: WRITTEN, DURABLE, LOG_FAILED, LOCATED, STORE_STATE.
  logId: 1,
  /** LOG_FAILED, STORE_STATE: one of {@link StoreCode}. LOCATED: one of {@link LocateCode}. */
  code: 2,
  /** LOCATED: the `tag` of the request. */
  tag: 3,
  /**
   * WRITTEN: end offset in the page cache. DURABLE: fsynced end offset. LOCATED: file position.
   * LOG_FAILED: the first offset that took no effect, or, with CORRUPT and READ_FAILED, that is
   * not served (the log stays open and goes on).
   */
  offsetF64: 2,
  /** LOCATED: pinned file range and its bytes. */
  pin: 6,
  length: 7,
} as const;

export const EventKind = {
  OPENED: 1,
  FRAME: 2,
  CLOSED: 3,
  CONNECTED: 4,
  CONNECT_FAILED: 5,
  WRITTEN: 16,
  DURABLE: 17,
  LOG_FAILED: 18,
  LOCATED: 19,
  STORE_STATE: 20,
} as const;

export const CloseReason = {
  PEER: 0,
  REQUESTED: 1,
  IDLE: 2,
  FRAME_TOO_LARGE: 3,
  FRAME_INVALID: 4,
  LIMIT: 5,
  IO: 6,
  SHUTDOWN: 7,
} as const;

/** State of a log or of its directory. The answer to the client is decided in TypeScript. */
export const StoreCode = {
  OK: 0,
  /** Free space is below the reserve: appends are refused until some is freed. */
  LOW_SPACE: 1,
  /** A write failed; the log must be re-opened before it serves again. */
  WRITE_FAILED: 2,
  /** fsync failed: fatal for the whole data directory, never retried. */
  SYNC_FAILED: 3,
  /** Bytes that were acknowledged fail their checksum. */
  CORRUPT: 4,
  READ_FAILED: 5,
  CLOSED: 6,
} as const;

/** Plans for the network. 8 words a row; RESPOND and SEND are followed by their segment rows. */
export const PLAN_WORDS = 8;
export const Plan = {
  /** One of {@link PlanKind}. */
  kind: 0,
  connection: 1,
  generation: 2,
  /** RESPOND, SKIP: the frame's `sequence`. */
  sequence: 3,
  /** RESPOND, SEND: number of segment rows that follow. The 4-byte size prefix is written here. */
  segmentCount: 4,
  /** RESPOND, SEND: bytes of all segments together (the size prefix's value). */
  totalBytes: 5,
  /** MUTE: milliseconds for which the connection is not read. FRAME_LIMIT: bytes. */
  amount: 3,

  // SEGMENT_BYTES: a range of the byte table given with the plan. SEGMENT_FILE: a pinned range.
  byteOffset: 1,
  byteLength: 2,
  pin: 1,
  fileLength: 2,
  filePositionF64: 2,

  /** RELEASE: a frame's or an allocation's arena offset. RELEASE_PIN: a pin. */
  handle: 1,
} as const;

export const PlanKind = {
  /** Answers the frame `sequence` of a connection; goes out in sequence order. */
  RESPOND: 1,
  /** Frame `sequence` has no answer (produce with acks=0). */
  SKIP: 2,
  CLOSE: 3,
  /** Sends a request on an outbound connection. */
  SEND: 4,
  SEGMENT_BYTES: 5,
  SEGMENT_FILE: 6,
  /** Drops one reference to the arena run that holds `handle`. */
  RELEASE: 7,
  /** Drops a pin that no response took over. A SEGMENT_FILE consumes its pin. */
  RELEASE_PIN: 8,
  MUTE: 9,
  /** Sets the largest frame the connection may send from now on (raised after authentication). */
  FRAME_LIMIT: 10,
} as const;

/** Batches to judge before they get an offset. 8 words a row, answered in place. */
export const INSPECT_WORDS = 8;
export const Inspect = {
  /** In: arena range of the partition's records field. */
  offset: 0,
  length: 1,
  /** In: bits of {@link InspectFlag}. */
  flags: 2,
  /** In: largest size in bytes that a compressed batch may inflate to, when it is inflated. */
  inflatedBytesMax: 3,
  /** Out: one of {@link InspectCode}. */
  code: 4,
  /** Out: index of the record that is at fault, or 2^32 - 1. */
  recordIndex: 5,
} as const;

export const InspectFlag = {
  /** Walk every record, inflating the batch where it is compressed. */
  VALIDATE_RECORDS: 1,
  /** Every record needs a key (compacted topics). Implies VALIDATE_RECORDS. */
  KEYS_REQUIRED: 2,
} as const;

export const InspectCode = {
  OK: 0,
  /** Shorter than a batch header, or its length field disagrees with what is there. */
  TRUNCATED: 1,
  /** Magic is not 2. */
  MAGIC: 2,
  /** More bytes than one batch. */
  TRAILING: 3,
  CRC: 4,
  /** recordsCount, lastOffsetDelta, base offset or base sequence contradict each other. */
  COUNT: 5,
  /** Unknown codec, or a payload whose frame header Kafka's readers reject. */
  COMPRESSION: 6,
  /** A record does not parse, or the payload is not used up exactly. */
  RECORDS: 7,
  KEY_MISSING: 8,
  /** Inflated beyond `inflatedBytesMax`. */
  INFLATED_SIZE: 9,
  /** Control or delete-horizon bit set, or transactional without a producer. */
  ATTRIBUTES: 10,
  /** The LogAppendTime bit is set, which is the broker's to set. */
  TIMESTAMP_TYPE: 11,
} as const;

/** Appends, one v2 batch a row, already inspected. 8 words a row. */
export const APPEND_WORDS = 8;
export const Append = {
  logId: 0,
  /** Arena range of the batch. The engine keeps its own reference until it is written. */
  offset: 1,
  length: 2,
  /** Bits of {@link AppendFlag}. */
  flags: 3,
  /** Patched into the batch: base offset, and partition leader epoch (word 6, signed). */
  baseOffsetF64: 2,
  leaderEpoch: 6,
} as const;

export const AppendFlag = {
  /** Report WRITTEN for this log when the bytes are in the page cache. */
  NOTIFY_WRITTEN: 1,
  /** Set timestamp type LogAppendTime and maxTimestamp = the call's `nowMs`; the CRC is redone. */
  LOG_APPEND_TIME: 2,
} as const;

/** Ranges to read. 16 words a row, answered in place where the page cache has them. */
export const LOCATE_WORDS = 16;
export const Locate = {
  logId: 0,
  /** In: bits of {@link LocateFlag}. */
  flags: 1,
  /** In: first offset wanted; and the first offset that must not be read (exclusive). */
  offsetF64: 1,
  limitF64: 2,
  bytesMax: 6,
  /** In: the caller's name for this row; comes back in LOCATED when the answer is PENDING. */
  tag: 7,
  /** Out: one of {@link LocateCode}. */
  code: 8,
  pin: 9,
  length: 10,
  positionF64: 6,
} as const;

export const LocateFlag = {
  /** Give the first batch whole even if it is larger than `bytesMax`. */
  AT_LEAST_ONE_BATCH: 1,
} as const;

export const LocateCode = {
  /** `pin`, `position` and `length` hold; length 0 has no pin: nothing below the limit. */
  OK: 0,
  /** The answer comes as a LOCATED event with the row's tag. */
  PENDING: 1,
  /** The offset is below the log's start or above its end. */
  OUT_OF_RANGE: 2,
  /** The range holds bytes that fail their checksum; it is not served. */
  CORRUPT: 3,
  /** Unknown, failed or closed log, or the read failed. */
  UNAVAILABLE: 4,
} as const;
