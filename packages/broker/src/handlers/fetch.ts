import type { Clock, LogId } from "@mantou/base";
import type { FetchRequest, FetchResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { PartitionTable, ProducerStates } from "@mantou/replication";
import { fetchAnswer, fetchRefusal } from "../fetch/fetch-answer.ts";
import type { FetchPlanner } from "../fetch/fetch-planner.ts";
import { FetchSet } from "../fetch/fetch-set.ts";
import type { FetchSession, FetchSessions } from "../fetch/fetch-sessions.ts";
import type { FetchTask } from "../fetch/fetch-task.ts";
import type { ParkingLot } from "../fetch/parking-lot.ts";
import type { Call } from "../handler.ts";
import { FETCH_BYTES_MAX } from "../limits.ts";
import type { PlanWriter } from "../plan-writer.ts";

/** Topic ids replace names from this version on. */
const TOPIC_ID_VERSION = 13;

export interface FetchStageParts {
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly sessions: FetchSessions;
  readonly planner: FetchPlanner;
  readonly lot: ParkingLot;
  readonly writer: PlanWriter;
  readonly clock: Clock;
  /** `fetch.max.bytes`: the most record bytes in one answer. */
  readonly bytesMax: () => number;
  readonly answer: (call: Call, response: FetchResponseInput) => void;
  /** Whether the connection that asked is still open. */
  readonly isConnected: (call: Call) => boolean;
}

/**
 * Fetch: decode -> session -> plan -> locate -> judge (answer, or park) -> answer.
 * A parked fetch is the same task; a watermark or its deadline sends it through the plan again.
 */
export class FetchStage {
  private readonly woken: FetchTask[] = [];

  constructor(private readonly parts: FetchStageParts) {}

  /** Fetches that wait for records. */
  get parked(): number {
    return this.parts.lot.parked;
  }

  /** Incremental sessions that are kept. */
  get sessions(): number {
    return this.parts.sessions.count;
  }

  /** Takes a request; its answer follows now or when the task has data. */
  take(call: Call, request: FetchRequest): void {
    const { sessions, answer } = this.parts;
    if (request.replicaId >= 0 || request.replicaState.replicaId >= 0) {
      // A client must not be able to pose as a follower (CVE-2018-1288).
      answer(call, fetchRefusal(ErrorCode.CLUSTER_AUTHORIZATION_FAILED));
      return;
    }
    const usesIds = call.version >= TOPIC_ID_VERSION;
    const parked = sessions.parkedSet(request.sessionId);
    if (parked !== undefined) this.finishParked(parked);
    const nowMs = this.parts.clock.monotonicMs();
    const verdict = sessions.judge({ ...request, usesIds }, countPartitions(request), nowMs);
    if (verdict.kind === "refuse") {
      answer(call, fetchRefusal(verdict.errorCode));
      return;
    }
    const session = verdict.kind === "sessionless" ? null : verdict.session;
    const set = session === null ? new FetchSet(usesIds, false) : session.set;
    set.turn += 1;
    fillSet(set, request, usesIds, this.parts.lot);
    if (session !== null && set.rows > sessions.partitionsMax) {
      // The client begins anew with a full fetch, and gets no session for one of this size.
      sessions.close(session.id);
      answer(call, fetchRefusal(ErrorCode.FETCH_SESSION_ID_NOT_FOUND));
      return;
    }
    this.run(newTask(call, request, set, session, verdict.kind === "incremental", nowMs, this));
  }

  /** `fetch.max.bytes` bounds what a client may ask for. */
  clampBytes(bytes: number): number {
    return Math.min(bytes, this.parts.bytesMax(), FETCH_BYTES_MAX);
  }

  /** A high watermark moved: whoever waits for this log is planned again. */
  watermarkMoved(logId: LogId): void {
    const { woken } = this;
    this.parts.lot.wake(logId, woken);
    for (const task of woken) this.run(task);
    woken.length = 0;
  }

  /** Answers what has waited long enough. */
  expire(nowMs: number): void {
    const { woken } = this;
    this.parts.lot.expire(nowMs, woken);
    for (const task of woken) this.run(task);
    woken.length = 0;
  }

  /** A connection is gone; what it waited for is dropped. */
  forgetConnection(connection: number, generation: number): void {
    this.parts.lot.forgetConnection(connection, generation);
  }

  /** A disk thread has found a range. */
  located(tag: number, code: number, pin: number, position: number, length: number): void {
    const task = this.parts.planner.located(tag, code, pin, position, length);
    if (task !== null) this.judge(task);
  }

  private run(task: FetchTask): void {
    this.parts.planner.plan(task);
    if (task.pending === 0) this.judge(task);
  }

  private judge(task: FetchTask): void {
    if (!this.parts.isConnected(task.call)) {
      // It was closed while a disk worked: nobody would take a parked task out again.
      this.dropRanges(task);
      return;
    }
    const { set } = task;
    const enough = task.bytes > 0 && task.bytes >= task.minBytes;
    const late = this.parts.clock.monotonicMs() >= task.deadlineMs;
    const isSuperseded = task.turn !== set.turn;
    if (enough || task.minBytes <= 0 || task.urgent || late || set.rows === 0 || isSuperseded) {
      this.finish(task);
      return;
    }
    this.dropRanges(task);
    if (this.parts.lot.park(task)) return;
    this.run({ ...task, found: [], deadlineMs: 0, bytes: 0 });
  }

  private finish(task: FetchTask): void {
    const { answer, partitions, producers, writer } = this.parts;
    answer(
      task.call,
      fetchAnswer(task, partitions, producers, (pin) => writer.releasePin(pin)),
    );
  }

  private finishParked(set: FetchSet): void {
    const task = this.parts.lot.unpark(set);
    if (task !== undefined) this.run({ ...task, deadlineMs: 0 });
  }

  /** Before a task is parked, what was found goes back: it is planned afresh when it wakes. */
  private dropRanges(task: FetchTask): void {
    for (const found of task.found) {
      if (found.length > 0) this.parts.writer.releasePin(found.pin);
    }
    task.found.length = 0;
    task.bytes = 0;
    task.urgent = false;
  }
}

function newTask(
  call: Call,
  request: FetchRequest,
  set: FetchSet,
  session: FetchSession | null,
  incremental: boolean,
  nowMs: number,
  stage: FetchStage,
): FetchTask {
  const bytesMax = stage.clampBytes(Math.max(request.maxBytes, 0));
  return {
    call,
    set,
    turn: set.turn,
    session,
    incremental,
    readCommitted: request.isolationLevel === 1,
    // More than an answer may hold would never come together.
    minBytes: Math.min(request.minBytes, bytesMax),
    bytesMax,
    deadlineMs: nowMs + Math.max(request.maxWaitMs, 0),
    pending: 0,
    found: [],
    bytes: 0,
    urgent: false,
  };
}

function countPartitions(request: FetchRequest): number {
  let count = 0;
  for (const topic of request.topics) count += topic.partitions.length;
  return count;
}

function fillSet(set: FetchSet, request: FetchRequest, usesIds: boolean, lot: ParkingLot): void {
  for (const topic of request.forgottenTopicsData) {
    const name = usesIds ? topic.topicId : topic.topic;
    for (const partition of topic.partitions) set.forget(name, partition, lot);
  }
  for (const topic of request.topics) {
    const name = usesIds ? topic.topicId : topic.topic;
    for (const partition of topic.partitions) {
      const row = set.upsert(name, partition.partition);
      set.fetchOffset[row] = partition.fetchOffset;
      set.bytesMax[row] = Math.max(partition.partitionMaxBytes, 0);
      set.currentLeaderEpoch[row] = partition.currentLeaderEpoch;
      set.lastFetchedEpoch[row] = partition.lastFetchedEpoch;
    }
  }
}
