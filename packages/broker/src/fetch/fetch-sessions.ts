import { Prng } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import { SESSION_PARTITIONS_MAX } from "../limits.ts";
import { FetchSet } from "./fetch-set.ts";
import type { ParkingLot } from "./parking-lot.ts";

/** A session idle for so long may be replaced when the cache is full (KIP-227). */
const EVICTION_IDLE_MS = 120_000;

/** What a client keeps open between fetches, so that it names only what changed (KIP-227). */
export interface FetchSession {
  readonly id: number;
  readonly set: FetchSet;
  /** The epoch that the client's next incremental fetch must carry. */
  nextEpoch: number;
  usedMs: number;
}

export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly usesIds: boolean;
}

export type SessionVerdict =
  /** Fetch everything named, keep nothing. */
  | { readonly kind: "sessionless" }
  /** Fetch everything named, and remember it under the new session if there is room. */
  | { readonly kind: "full"; readonly session: FetchSession | null }
  | { readonly kind: "incremental"; readonly session: FetchSession }
  | { readonly kind: "refuse"; readonly errorCode: number };

const EPOCH_INITIAL = 0;
const EPOCH_FINAL = -1;

/** The cache of fetch sessions: bounded slots, the longest idle one makes room. */
export class FetchSessions {
  private readonly sessions = new Map<number, FetchSession>();
  private readonly prng: Prng;

  constructor(
    private readonly lot: ParkingLot,
    seed: number,
    public slotsMax: number,
  ) {
    this.prng = new Prng(seed);
  }

  get count(): number {
    return this.sessions.size;
  }

  /** Resolves the session fields of a request, opening and closing sessions as they say. */
  judge(request: SessionRequest, partitionCount: number, nowMs: number): SessionVerdict {
    const { sessionId, sessionEpoch } = request;
    if (sessionEpoch === EPOCH_INITIAL || sessionEpoch === EPOCH_FINAL) {
      if (sessionId !== 0) this.close(sessionId);
      if (sessionEpoch === EPOCH_FINAL) return { kind: "sessionless" };
      return { kind: "full", session: this.open(request.usesIds, partitionCount, nowMs) };
    }
    const session = this.sessions.get(sessionId);
    if (session === undefined) {
      return { kind: "refuse", errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND };
    }
    if (session.nextEpoch !== sessionEpoch) {
      return { kind: "refuse", errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH };
    }
    if (session.set.usesIds !== request.usesIds) {
      return { kind: "refuse", errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR };
    }
    session.nextEpoch = sessionEpoch === 0x7fff_ffff ? 1 : sessionEpoch + 1;
    session.usedMs = nowMs;
    // Insertion order is the order of use: the first entry is the longest idle.
    this.sessions.delete(sessionId);
    this.sessions.set(sessionId, session);
    return { kind: "incremental", session };
  }

  /** Partitions that one session may hold. */
  get partitionsMax(): number {
    return SESSION_PARTITIONS_MAX / this.slotsMax;
  }

  /** The session's set, where a fetch of it is still parked: that one must be answered first. */
  parkedSet(sessionId: number): FetchSet | undefined {
    const set = this.sessions.get(sessionId)?.set;
    return set !== undefined && set.parkedTask >= 0 ? set : undefined;
  }

  close(sessionId: number): void {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return;
    this.sessions.delete(sessionId);
    const { set } = session;
    set.turn += 1;
    for (let row = 0; row < set.rows; row += 1) set.resolve(row, -1, this.lot);
  }

  private open(usesIds: boolean, partitionCount: number, nowMs: number): FetchSession | null {
    if (partitionCount === 0 || partitionCount > this.partitionsMax) return null;
    if (this.sessions.size >= this.slotsMax && !this.evict(nowMs)) return null;
    let id = 0;
    while (id === 0 || this.sessions.has(id)) id = this.prng.u32() >>> 1;
    const session = { id, set: new FetchSet(usesIds, true), nextEpoch: 1, usedMs: nowMs };
    this.sessions.set(id, session);
    return session;
  }

  private evict(nowMs: number): boolean {
    const oldest = this.sessions.values().next().value;
    if (oldest === undefined || nowMs - oldest.usedMs < EVICTION_IDLE_MS) return false;
    if (oldest.set.parkedTask >= 0) return false;
    this.close(oldest.id);
    return true;
  }
}
