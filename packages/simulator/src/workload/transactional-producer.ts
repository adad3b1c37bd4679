import { positionsOf } from "../clients/fetching.ts";
import type { Where } from "../history.ts";
import { TransactionActor } from "./transaction-actor.ts";

const TOPICS = ["plain", "small"];

/** Writes transactions to several partitions, with offsets in some, and commits or aborts. */
export class TransactionalProducer extends TransactionActor {
  protected readonly inputs = TOPICS;
  protected readonly outputs = TOPICS;

  protected async one(): Promise<void> {
    const transaction = this.begin();
    const added = new Set<Where>();
    const rounds = this.prng.between(1, 5);
    for (let round = 0; round < rounds; round += 1) {
      const keys = Array.from({ length: this.prng.between(1, 3) }, () => null);
      await this.write(transaction, this.prng.pick(this.lanes), keys, added);
      if (this.prng.chance(1, 2)) await this.pause(1, this.prng.chance(1, 5) ? 4_000 : 200);
    }
    if (this.prng.chance(1, 2)) {
      const position = this.prng.pick(positionsOf(this.world, TOPICS));
      await this.commitOffset(transaction, position, this.world.nextValue());
    }
    await this.end(transaction, this.prng.chance(3, 4));
  }
}
