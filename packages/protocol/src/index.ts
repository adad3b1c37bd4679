export type { AnyApi, Api } from "./api.ts";
export { defineApi } from "./api.ts";
export { allApis, apiByKey } from "./apis.ts";
export { ErrorCode, errorName } from "./errors.ts";
export type { ErrorName } from "./errors.ts";
export {
  FRAME_PREFIX_BYTES,
  FrameSplitter,
  encodeRequestFrame,
  encodeResponseFrame,
} from "./framing.ts";
export {
  REQUEST_PREFIX_BYTES,
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestHeader,
  encodeResponseHeader,
  requestHeaderVersion,
  responseHeaderVersion,
} from "./headers.ts";
export * from "./messages/index.ts";
export type { Codec, CodecOptions } from "./schema/codec.ts";
export { defineCodec } from "./schema/codec.ts";
export { DecodeError, EncodeError } from "./schema/failure.ts";
export { DECODE_BUDGET_BYTES_DEFAULT } from "./schema/number-reader.ts";
export { Reader, STRING_BYTES_MAX } from "./schema/reader.ts";
export type { FileRange, Records, Span } from "./schema/records-field.ts";
export type { FieldNode, FieldOptions, Infer, InferInput, TypeNode } from "./schema/types.ts";
export {
  Field,
  Type,
  array,
  bool,
  bytes,
  f,
  float64,
  int16,
  int32,
  int64,
  int8,
  records,
  string,
  struct,
  uint16,
  uint32,
  uuid,
} from "./schema/types.ts";
export * from "./records/index.ts";
export { isUuid, uuidFromBytes, uuidToBytes } from "./schema/uuid.ts";
export { Writer } from "./schema/writer.ts";
