import type { Message } from "raft-ts";

/**
 * The way to the other nodes. It may lose, repeat and reorder; it must not wait. What arrives at
 * the other end goes into `ControllerDriver.receive`.
 */
export interface PeerTransport {
  /**
   * @param checkpoint with an `installSnapshot`: the whole checkpoint file, which travels with the
   *   message, in chunks if the transport likes; null with every other message.
   */
  send(message: Message, checkpoint: Uint8Array | null): void;
}

/** A node that is alone has nobody to talk to. */
export const noPeers: PeerTransport = { send: () => undefined };
