import { ErrorCode, findCoordinatorApi } from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { BrokerError, throwIfError } from "./errors.ts";
import { retrying } from "./retry.ts";

/** What a coordinator is for: the number in FindCoordinator. */
export type CoordinatorKind = "group" | "transaction";

const KEY_TYPES = { group: 0, transaction: 1 } as const;
/** From here on a request names several keys. */
const BATCHED_SINCE = 4;

/** Errors after which somebody else may be the coordinator. */
const moved: ReadonlySet<number> = new Set<number>([
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
]);

/** Calls the broker that coordinates `key`, and again while it moves, loads or cannot be reached. */
export function onCoordinator<T>(
  cluster: Cluster,
  kind: CoordinatorKind,
  key: string,
  call: (connection: Connection) => Promise<T>,
): Promise<T> {
  return retrying(cluster.retryTimeoutMs, async () =>
    call(await findCoordinator(cluster, kind, key)),
  );
}

/** Throws BrokerError, retriable while there is no coordinator yet. */
async function findCoordinator(
  cluster: Cluster,
  kind: CoordinatorKind,
  key: string,
): Promise<Connection> {
  const connection = await cluster.any();
  const keyType = KEY_TYPES[kind];
  const what = `coordinator of ${kind} ${key}`;
  const isBatched = connection.versions.pick(findCoordinatorApi) >= BATCHED_SINCE;
  const answer = await cluster.call(
    connection,
    findCoordinatorApi,
    isBatched ? { keyType, coordinatorKeys: [key] } : { key, keyType },
  );
  const found = isBatched ? answer.coordinators[0] : answer;
  throwIfError(found?.errorCode ?? -1, what, found?.errorMessage ?? null);
  return cluster.broker(found?.nodeId ?? -1);
}

/** Throws where an answer says that the coordinator has moved, so that the call is made again. */
export function throwIfMoved(errorCode: number, what: string): void {
  if (moved.has(errorCode) || errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) {
    throw new BrokerError(errorCode, what);
  }
}

/** Calls every broker and gives all answers: for lists that each keeps a part of. */
export async function onEveryBroker<T>(
  cluster: Cluster,
  call: (connection: Connection) => Promise<T>,
): Promise<T[]> {
  const { brokers } = await cluster.metadata([]);
  return Promise.all(brokers.map(async ({ id }) => call(await cluster.broker(id))));
}
