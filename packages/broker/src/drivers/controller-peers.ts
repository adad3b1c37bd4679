import type { Message, SnapshotMeta } from "raft-ts";

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

export interface PeerSenderParts {
  readonly peers: PeerTransport;
  /** The checkpoint's bytes, or null when a newer one has taken its place. */
  readonly readCheckpoint: (snapshot: SnapshotMeta) => Promise<Uint8Array | null>;
  /** The checkpoint for `to` is gone: the machine will offer the newer one. */
  readonly gone: (to: number) => void;
  readonly failed: (reason: string, error: unknown) => void;
}

/** Sends messages, with the checkpoint that one of them names. */
export class PeerSender {
  constructor(private readonly parts: PeerSenderParts) {}

  send(message: Message): void {
    const { peers, readCheckpoint, gone, failed } = this.parts;
    if (message.type !== "installSnapshot") {
      peers.send(message, null);
      return;
    }
    readCheckpoint(message.snapshot).then(
      (bytes) => (bytes === null ? gone(message.to) : peers.send(message, bytes)),
      (error: unknown) => failed("a checkpoint cannot be read", error),
    );
  }
}
