import { ErrorCode } from "@mantou/protocol";
import type { ControllerPort } from "../handler.ts";

/** Gives out producer ids from blocks that the controller reserves (KIP-730). */
export class ProducerIds {
  private next = 0;
  private end = 0;
  private refill: Promise<void> | null = null;

  constructor(
    private readonly controller: ControllerPort,
    private readonly nodeId: number,
    private readonly brokerEpoch: () => number,
  ) {}

  /** An id that no one else has. Rejects when the controller refuses a block. */
  async take(): Promise<number> {
    while (this.next >= this.end) {
      this.refill ??= this.reserve().finally(() => {
        this.refill = null;
      });
      await this.refill;
    }
    return this.next++;
  }

  private async reserve(): Promise<void> {
    const block = await this.controller.decide({
      kind: "allocateProducerIds",
      nodeId: this.nodeId,
      brokerEpoch: this.brokerEpoch(),
    });
    if (block.errorCode !== ErrorCode.NONE) {
      throw new Error(`no producer ids: ${block.errorMessage ?? block.errorCode}`);
    }
    this.next = block.firstProducerId;
    this.end = block.firstProducerId + block.count;
  }
}
