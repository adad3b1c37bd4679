import { InspectCode } from "@mantou/io";
import type { TopicConfig } from "@mantou/catalog";
import { isInternalTopic } from "@mantou/catalog";
import { BATCH_HEADER_BYTES, ErrorCode } from "@mantou/protocol";

/** A refusal of a batch, in the protocol's words. */
export interface Refusal {
  readonly errorCode: number;
  readonly message: string;
}

const CODEC_MASK = 0x07;
const CODEC_ZSTD = 4;
/** zstd is legal from this Produce version on (KIP-110). */
const ZSTD_PRODUCE_VERSION = 7;

/** What the protocol answers for a batch that the inspection refused; null when it is sound. */
export function inspectionRefusal(code: number, claimedBytes = Infinity): Refusal | null {
  switch (code) {
    case InspectCode.OK:
      return null;
    case InspectCode.TRUNCATED:
      if (claimedBytes < BATCH_HEADER_BYTES) {
        return corrupt("the batch says that it is shorter than its own header");
      }
      // Not CORRUPT_MESSAGE, with which clients would try the same bytes again and again.
      return invalid("the records hold no whole batch");
    case InspectCode.CRC:
      return corrupt("the batch's checksum does not match its bytes");
    case InspectCode.MAGIC:
      return invalid("only record batches of format version 2 are accepted");
    case InspectCode.TRAILING:
      return invalid("a partition takes exactly one batch");
    case InspectCode.COUNT:
      return invalid("record count, offsets and sequence of the batch contradict each other");
    case InspectCode.COMPRESSION:
      return invalid("the compressed payload has an unknown or unreadable frame header");
    case InspectCode.RECORDS:
      return invalid("a record of the batch does not parse");
    case InspectCode.KEY_MISSING:
      return invalid("a record without key on a topic that needs keys");
    case InspectCode.INFLATED_SIZE:
      return invalid("the batch inflates beyond the allowed size");
    case InspectCode.ATTRIBUTES:
      return invalid("clients may not set control or reserved attribute bits");
    case InspectCode.TIMESTAMP_TYPE:
      return {
        errorCode: ErrorCode.INVALID_TIMESTAMP,
        message: "clients may not send batches with timestamp type LogAppendTime",
      };
    default:
      return corrupt(`inspection code ${code}`);
  }
}

/** Codec rules that depend on the request's version. */
export function codecRefusal(attributes: number, produceVersion: number): Refusal | null {
  if ((attributes & CODEC_MASK) !== CODEC_ZSTD || produceVersion >= ZSTD_PRODUCE_VERSION) {
    return null;
  }
  return {
    errorCode: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    message: "zstd needs Produce version 7 or newer",
  };
}

/**
 * Coordinators read their topics back at every start, and inflate nothing then. Only an
 * administrator's tool gets so far as to write there at all.
 */
export function internalTopicRefusal(attributes: number, config: TopicConfig): Refusal | null {
  if ((attributes & CODEC_MASK) === 0 || !isInternalTopic(config.topic)) return null;
  return invalid("records of internal topics may not be compressed");
}

/** Size rules of the topic. `bytes` is the whole batch. */
export function sizeRefusal(bytes: number, config: TopicConfig): Refusal | null {
  if (bytes > config.maxMessageBytes) {
    return {
      errorCode: ErrorCode.MESSAGE_TOO_LARGE,
      message: `the batch has ${bytes} bytes, max.message.bytes is ${config.maxMessageBytes}`,
    };
  }
  if (bytes > config.segmentBytes) {
    return {
      errorCode: ErrorCode.RECORD_LIST_TOO_LARGE,
      message: `the batch has ${bytes} bytes, segment.bytes is ${config.segmentBytes}`,
    };
  }
  return null;
}

/**
 * Timestamp rules of the topic, judged by the header: the first record's timestamp and the
 * largest one. Only CreateTime topics look. -1 is no timestamp.
 */
export function timestampRefusal(
  baseTimestamp: number,
  maxTimestamp: number,
  config: TopicConfig,
  nowMs: number,
): Refusal | null {
  if (config.messageTimestampType === "LogAppendTime") return null;
  const early = nowMs - config.messageTimestampBeforeMaxMs;
  const late = nowMs + config.messageTimestampAfterMaxMs;
  const isOutside = (timestamp: number): boolean =>
    timestamp >= 0 && (timestamp < early || timestamp > late);
  if (!isOutside(baseTimestamp) && !isOutside(maxTimestamp)) return null;
  const wrong = isOutside(maxTimestamp) ? maxTimestamp : baseTimestamp;
  return {
    errorCode: ErrorCode.INVALID_TIMESTAMP,
    message: `timestamp ${wrong} is out of the range [${early}, ${late}]`,
  };
}

/**
 * Producer ids are counted up by the cluster, so one beyond 2^53 was never given out. It reads as
 * 2^53 - 1, and two such producers would look like one that repeats itself: records would be
 * dropped as duplicates.
 */
export function producerRefusal(producerId: number): Refusal | null {
  if (producerId < Number.MAX_SAFE_INTEGER) return null;
  return invalid("the batch's producer id was not given out by this cluster");
}

const invalid = (message: string): Refusal => ({ errorCode: ErrorCode.INVALID_RECORD, message });
const corrupt = (message: string): Refusal => ({ errorCode: ErrorCode.CORRUPT_MESSAGE, message });
