import { ClientError } from "./errors.ts";

/** A timer that is set to more fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** What waits for the next frame. */
interface Waiting {
  settle(frame: Uint8Array): void;
  fail(error: ClientError): void;
  readonly what: string;
}

/** Who waits for the frames to come: they come in the order of their requests. */
export class AnswerQueue {
  private readonly waiting: Waiting[] = [];

  get length(): number {
    return this.waiting.length;
  }

  /** The frame after those that are waited for already. Rejects with ClientError. */
  wait(what: string, timeoutMs: number, where: string): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      // A late answer still takes its place in the order, so the entry stays when time is up.
      const timer = setTimeout(
        () => {
          const error = `${where} did not answer ${what} within ${timeoutMs} ms`;
          reject(new ClientError("TIMED_OUT", error));
        },
        Math.min(timeoutMs, TIMER_MS_MAX),
      );
      this.waiting.push({
        what,
        settle: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  /** Gives a frame to who has waited longest; false where nobody waits. */
  settle(frame: Uint8Array): boolean {
    const next = this.waiting.shift();
    next?.settle(frame);
    return next !== undefined;
  }

  /** Tells everybody that no frame will come. */
  fail(reason: ClientError): void {
    for (const waiting of this.waiting.splice(0)) {
      waiting.fail(new ClientError(reason.code, `${waiting.what}: ${reason.message}`));
    }
  }
}
