import { ErrorCode, errorName } from "@mantou/protocol";
import type { World } from "../actor.ts";
import { NoAnswer } from "./connection.ts";

/** What a broker that is busy with itself may say; the same is asked again. */
const PASSING = new Set<number>([
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.LEADER_NOT_AVAILABLE,
]);

/** Throws NoAnswer where an error will pass, and notes a defect where it was no answer at all. */
export function refused(world: World, who: string, errorCode: number | undefined): void {
  if (errorCode !== undefined && PASSING.has(errorCode)) throw new NoAnswer(errorName(errorCode));
  world.defect(`${who}: answered ${errorName(errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR)}`);
}
