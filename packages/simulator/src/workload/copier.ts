import type { Position } from "../clients/fetching.ts";
import { Fetcher, positionsOf } from "../clients/fetching.ts";
import type { SeenRecord, Where } from "../history.ts";
import { TransactionActor } from "./transaction-actor.ts";

const SOURCE = "small";
export const COPIES = "copies";
const RECORDS_MAX = 8;

/** The key under which the copy of a record is written. */
export const copyKey = (where: Where, offset: number): string => `${where}@${offset}`;

/**
 * Reads committed records and writes each once to another topic, with its own position in the same
 * transaction: input and output must be equal, whatever happens (exactly once).
 */
export class Copier extends TransactionActor {
  protected readonly inputs = [SOURCE];
  protected readonly outputs = [COPIES];
  private readonly fetcher = new Fetcher(this.world, this.name, false);

  protected async one(): Promise<void> {
    const [position] = positionsOf(this.world, this.inputs);
    if (position === undefined) return;
    position.offset = Math.max(0, this.committed.get(position.where) ?? 0);
    const records = await this.persist(() => this.read(position));
    if (records.length === 0) return;
    const transaction = this.begin();
    const added = new Set<Where>();
    const keys = records.map(({ offset }) => copyKey(position.where, offset));
    const cut = this.prng.between(0, keys.length - 1);
    for (const part of [keys.slice(0, cut), keys.slice(cut)]) {
      if (part.length === 0) continue;
      await this.write(transaction, this.prng.pick(this.lanes), part, added);
      if (this.prng.chance(1, 4)) await this.pause(1, this.prng.chance(1, 4) ? 4_000 : 200);
    }
    const next = (records.at(-1) as SeenRecord).offset + 1;
    await this.commitOffset(transaction, position, next);
    const commits = this.prng.chance(5, 6);
    await this.end(transaction, commits);
    if (commits) this.committed = new Map([[position.where, next]]);
  }

  private async read(position: Position): Promise<readonly SeenRecord[]> {
    const connection = await this.connected();
    const { offset } = position;
    const [fetched] = await this.fetcher.fetch(connection, [position], {
      version: 12,
      isCommitted: true,
      maxWaitMs: 100,
      minBytes: 1,
      partitionBytesMax: 2_000,
    });
    const read = fetched?.read ?? null;
    const records = read?.delivered ?? [];
    // Markers and what was aborted are passed over with the next records.
    position.offset = offset;
    if (records.length === 0 && read !== null && read.next > offset) {
      this.committed = new Map([[position.where, read.next]]);
    }
    return records.slice(0, RECORDS_MAX);
  }
}
