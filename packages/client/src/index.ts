export { codecs } from "./codecs.ts";
export {
  Connection,
  type ConnectionOptions,
  type Exchange,
  type SendOptions,
} from "./connection.ts";
export {
  BrokerError,
  brokerError,
  ClientError,
  type ClientErrorCode,
  isRetriable,
} from "./errors.ts";
export { FrameAssembler } from "./frames.ts";
export { type VersionRange, VersionTable } from "./versions.ts";
