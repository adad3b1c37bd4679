/**
 * The bytes do not say what the schema says. Always the sender's fault, never ours: answer it or
 * close the connection.
 */
export class DecodeError extends Error {
  override readonly name = "DecodeError";

  /**
   * @param message what is wrong, with the message's name and the field's path once they are known
   * @param position byte offset in the decoded buffer
   * @param path such as `topicData[0].partitionData[2].records`, or "" when unknown
   */
  constructor(
    message: string,
    readonly position: number,
    readonly path = "",
  ) {
    super(message);
  }
}

/** The value cannot be said in this version, or at all. Our own fault, or our caller's. */
export class EncodeError extends Error {
  override readonly name = "EncodeError";

  constructor(
    message: string,
    readonly path = "",
  ) {
    super(message);
  }
}
