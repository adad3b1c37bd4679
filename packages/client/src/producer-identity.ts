import { initProducerIdApi } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import { throwIfError } from "./errors.ts";
import type { ProducerLane } from "./producer-lane.ts";
import { retrying } from "./retry.ts";

/** The name under which an idempotent producer numbers its batches. */
export interface ProducerId {
  readonly id: number;
  readonly epoch: number;
}

/** Not meaningful without a transactional id, and the largest is what other clients send. */
const NO_TRANSACTION_TIMEOUT_MS = 0x7fffffff;

/**
 * Gets the producer id, and a new one when a sequence number is missing for good: then no numbers
 * are given until everything that has one is settled, and counting starts again.
 */
export class ProducerIdentity {
  current: ProducerId | null = null;
  isBroken = false;
  private isAsking = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly askTimeoutMs: number,
    private readonly requestTimeoutMs: number,
  ) {}

  /** Starts again, once nothing numbered is unsettled. */
  startOver(lanes: readonly ProducerLane[]): void {
    for (const lane of lanes) if (lane.hasNumbered) return;
    for (const lane of lanes) lane.resetSequence();
    this.current = null;
    this.isBroken = false;
  }

  /** Asks for an id, unless that is under way. `onDone` gets null or the error. */
  ask(onDone: (error: unknown) => void): void {
    if (this.isAsking) return;
    this.isAsking = true;
    retrying(this.askTimeoutMs, async () => {
      const request = {
        transactionalId: null,
        transactionTimeoutMs: NO_TRANSACTION_TIMEOUT_MS,
      };
      const connection = await this.cluster.any();
      const { requestTimeoutMs } = this;
      const answer = await this.cluster.call(
        connection,
        initProducerIdApi,
        request,
        requestTimeoutMs,
      );
      throwIfError(answer.errorCode, "InitProducerId");
      this.current = { id: answer.producerId, epoch: answer.producerEpoch };
    })
      .then(() => null)
      .catch((error: unknown) => error)
      .then((error) => {
        this.isAsking = false;
        onDone(error);
      });
  }
}
