import type { Refusal } from "raft-ts";
import { describeRefusal } from "raft-ts";

/**
 * Why the controller did not take something, or cannot say what became of it:
 * - NOT_LEADER: ask `leader`, or again when one is elected.
 * - LEADERSHIP_LOST: it was taken, and may or may not take effect. Look before trying again.
 * - OVERLOADED: too much is uncommitted. Try again.
 * - REFUSED: it can never be taken as it is (too large, not a member, …).
 * - STOPPED: this node is going down, or its metadata log has failed.
 */
export type ControllerErrorCode =
  "NOT_LEADER" | "LEADERSHIP_LOST" | "OVERLOADED" | "REFUSED" | "STOPPED";

export class ControllerError extends Error {
  override readonly name = "ControllerError";

  constructor(
    readonly code: ControllerErrorCode,
    message: string,
    /** NOT_LEADER: who leads, as far as known. */
    readonly leader: number | null = null,
  ) {
    super(message);
  }
}

/** What the machine refuses, in the words of the driver. */
export function controllerError(refusal: Refusal): ControllerError {
  const message = describeRefusal(refusal);
  switch (refusal.kind) {
    case "notLeader":
      return new ControllerError("NOT_LEADER", message, refusal.leader);
    case "transferring":
      return new ControllerError("NOT_LEADER", message, refusal.to);
    case "overloaded":
    case "busy":
    case "notReady":
    case "changeInProgress":
    case "notCaughtUp":
      return new ControllerError("OVERLOADED", message);
    case "tooLarge":
    case "alreadyMember":
    case "notMember":
    case "notVoter":
    case "lastVoter":
    case "stale":
    case "malformed":
    case "violation":
      return new ControllerError("REFUSED", message);
  }
}
