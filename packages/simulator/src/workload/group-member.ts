import { ErrorCode, errorName, findCoordinatorApi } from "@mantou/protocol";
import type { World } from "../actor.ts";
import { Actor } from "../actor.ts";
import type { ClientConnection } from "../clients/connection.ts";
import type { Position } from "../clients/fetching.ts";
import { Fetcher, positionsOf } from "../clients/fetching.ts";
import { commitOffsets, fetchCommitted } from "../clients/offsets.ts";
import type { Ownership, Where } from "../history.ts";
import { LATEST, listOffset } from "./consumer.ts";

/** What members of both protocols subscribe to. */
export const SUBSCRIBED = ["plain", "small"];
export const SESSION_MS = 3_000;
export const REBALANCE_MS = 20_000;
export const ASK_MS = 2_500;

/** The coordinator is not there at the moment: ask again. */
export const isPassing = (errorCode: number): boolean =>
  errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ||
  errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE ||
  errorCode === ErrorCode.NOT_COORDINATOR ||
  errorCode === ErrorCode.REQUEST_TIMED_OUT ||
  errorCode === ErrorCode.UNSTABLE_OFFSET_COMMIT ||
  errorCode === ErrorCode.KAFKA_STORAGE_ERROR;

/** The member has lost its place in the group. */
export const isLost = (errorCode: number): boolean =>
  errorCode === ErrorCode.UNKNOWN_MEMBER_ID ||
  errorCode === ErrorCode.ILLEGAL_GENERATION ||
  errorCode === ErrorCode.FENCED_MEMBER_EPOCH ||
  errorCode === ErrorCode.STALE_MEMBER_EPOCH ||
  errorCode === ErrorCode.REBALANCE_IN_PROGRESS;

/** What members of both group protocols have in common: reading, committing, owning. */
export abstract class GroupMember extends Actor {
  readonly isWriter = false;
  protected memberId = "";
  protected generation = -1;
  protected readonly owned = new Map<Where, Position>();
  protected readonly ownerships = new Map<Where, Ownership>();
  protected fetcher: Fetcher;

  constructor(
    world: World,
    name: string,
    seed: number,
    readonly group: string,
  ) {
    super(world, name, seed);
    this.fetcher = new Fetcher(world, name, this.prng.chance(1, 2));
  }

  override describe(): string {
    const owned = [...this.owned.values()].map((p) => `${p.topic.name}-${p.partition}@${p.offset}`);
    return `${this.name} (${this.memberId} in ${this.generation}: ${owned.join(", ")})`;
  }

  /** Every partition of the subscription, fresh. */
  protected subscribed(): Position[] {
    return positionsOf(this.world, SUBSCRIBED);
  }

  /** Waits until somebody coordinates the group. Throws NoAnswer. */
  protected async findCoordinator(): Promise<ClientConnection> {
    for (;;) {
      const connection = await this.connected();
      const found = await connection.ask(
        findCoordinatorApi,
        4,
        { keyType: 0, coordinatorKeys: [this.group] },
        ASK_MS,
      );
      const errorCode = found.coordinators[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
      if (errorCode === ErrorCode.NONE) return connection;
      if (!isPassing(errorCode)) {
        this.world.defect(`${this.name}: FindCoordinator answered ${errorName(errorCode)}`);
      }
      await this.pause();
    }
  }

  private committer() {
    const { world, name, group, memberId, generation } = this;
    return { world, name, group, memberId, generation };
  }

  /** From now on this member owns these partitions, and begins where the group has committed. */
  protected own(positions: readonly Position[], heardMs: number): void {
    const { history, time } = this.world;
    const since = history.moment();
    for (const position of positions) {
      this.owned.set(position.where, position);
      const ownership: Ownership = {
        group: this.group,
        where: position.where,
        by: this.name,
        since,
        sinceMs: time.nowMs,
        until: Infinity,
        leaseMs: heardMs + SESSION_MS,
      };
      this.ownerships.set(position.where, ownership);
      history.ownerships.push(ownership);
    }
  }

  /** The broker has answered what was asked at `askedMs`: until then it takes it for alive. */
  protected heard(askedMs: number): void {
    for (const ownership of this.ownerships.values()) ownership.leaseMs = askedMs + SESSION_MS;
  }

  /** From now on this member says that it does not own these any more. */
  protected disown(wheres: readonly Where[]): void {
    const now = this.world.history.moment();
    for (const where of wheres) {
      this.owned.delete(where);
      const ownership = this.ownerships.get(where);
      if (ownership !== undefined) ownership.until = now;
      this.ownerships.delete(where);
    }
    this.fetcher.forgetSession([...this.owned.values()]);
  }

  protected disownAll(): void {
    this.disown([...this.owned.keys()]);
  }

  protected readonly commitVersionMin: number = 5;
  protected readonly commitVersionMax: number = 9;

  /** Returns an error code. Throws NoAnswer. */
  protected commit(connection: ClientConnection): Promise<number> {
    const positions = [...this.owned.values()].filter((position) => position.offset > 0);
    const version = this.prng.between(this.commitVersionMin, this.commitVersionMax);
    return commitOffsets(this.committer(), connection, positions, version, ASK_MS);
  }

  /** Sets positions to what is committed. False where that is not told. Throws NoAnswer. */
  protected async resume(
    connection: ClientConnection,
    positions: readonly Position[],
  ): Promise<boolean> {
    if (positions.length === 0) return true;
    const version = this.prng.pick([7, 7, 8, 9]);
    const found = await fetchCommitted(this.committer(), connection, positions, version, ASK_MS);
    if (typeof found === "number") {
      if (!isPassing(found) && !isLost(found)) {
        this.world.defect(`${this.name}: OffsetFetch answered ${errorName(found)}`);
      }
      return false;
    }
    for (const position of positions) position.offset = Math.max(0, found.get(position.where) ?? 0);
    return true;
  }

  /** Reads a little of what it owns. Throws NoAnswer. */
  protected async consume(connection: ClientConnection): Promise<void> {
    if (this.owned.size === 0) return;
    const fetched = await this.fetcher.fetch(connection, [...this.owned.values()], {
      version: 12,
      isCommitted: true,
      maxWaitMs: 20,
      minBytes: 1,
      partitionBytesMax: 2_000,
    });
    for (const { position, errorCode } of fetched) {
      if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
        const where = this.world.history.say(position.where);
        this.world.defect(`${this.name}: committed ${position.offset} of ${where} is out of range`);
      }
    }
  }

  /** Whether the group has committed everything there is. Throws NoAnswer. */
  protected async isGroupAtEnd(connection: ClientConnection): Promise<boolean> {
    const positions = this.subscribed();
    const committer = { ...this.committer(), memberId: "", generation: -1 };
    const found = await fetchCommitted(committer, connection, positions, 7, ASK_MS);
    if (typeof found === "number") return false;
    for (const position of positions) {
      const end = await listOffset(connection, position, LATEST);
      if (end === null || Math.max(0, found.get(position.where) ?? 0) < end) return false;
    }
    return true;
  }
}
