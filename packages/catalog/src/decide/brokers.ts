import { ErrorCode } from "@mantou/protocol";
import type {
  Decision,
  FenceBroker,
  ItemReply,
  RegisterBroker,
  RegisteredBroker,
  UnregisterBroker,
} from "../commands.ts";
import type { CatalogImage } from "../image.ts";
import type { MetadataRecord } from "../records.ts";
import { leadershipWith, leadershipWithout } from "./leadership.ts";
import { accepted, refused } from "./replies.ts";

const nothing = <Reply>(reply: Reply): Decision<Reply> => ({ records: [], reply });

/**
 * A process announces itself. What an earlier life of the node led is given up, so that every
 * life leads in leader epochs of its own: what a crash took from its log cannot be mistaken for
 * what it writes at the same offsets afterwards.
 */
export function decideRegisterBroker(
  image: CatalogImage,
  command: RegisterBroker,
): Decision<RegisteredBroker> {
  const { nodeId, incarnationId, rack, endpoints } = command;
  const known = image.broker(nodeId);
  if (known !== undefined && known.incarnationId !== incarnationId && command.earlierIsAlive) {
    const message = `another process is running as broker ${nodeId}`;
    const fault = refused(ErrorCode.DUPLICATE_BROKER_REGISTRATION, message);
    return nothing({ ...fault, brokerEpoch: -1 });
  }
  if (nodeId < 0 || endpoints.length === 0) {
    const fault = refused(ErrorCode.INVALID_REGISTRATION, "a broker needs a number and an address");
    return nothing({ ...fault, brokerEpoch: -1 });
  }
  if (known !== undefined && known.incarnationId === incarnationId) {
    // The same process again: its reply was lost. It keeps its epoch.
    return nothing({ ...accepted, brokerEpoch: known.epoch });
  }
  const epoch = image.lastBrokerEpoch + 1;
  const records: MetadataRecord[] = [];
  if (known !== undefined && !known.fenced) records.push(...leadershipWithout(image, nodeId));
  records.push({
    kind: "registerBroker",
    nodeId,
    incarnationId,
    epoch,
    rack,
    endpoints,
    fenced: true,
  });
  return { records, reply: { ...accepted, brokerEpoch: epoch } };
}

export function decideFenceBroker(image: CatalogImage, command: FenceBroker): Decision<ItemReply> {
  const { nodeId, fenced } = command;
  const known = image.broker(nodeId);
  if (known === undefined) {
    const message = `there is no broker ${nodeId}`;
    return nothing(refused(ErrorCode.BROKER_ID_NOT_REGISTERED, message));
  }
  if (known.epoch !== command.brokerEpoch) {
    const message = `broker ${nodeId} has registered again since`;
    return nothing(refused(ErrorCode.STALE_BROKER_EPOCH, message));
  }
  if (known.fenced === fenced) return nothing(accepted);
  const change: MetadataRecord = { kind: "brokerFenced", nodeId, fenced };
  const records = fenced
    ? [...leadershipWithout(image, nodeId), change]
    : [change, ...leadershipWith(image, nodeId)];
  return { records, reply: accepted };
}

export function decideUnregisterBroker(
  image: CatalogImage,
  command: UnregisterBroker,
): Decision<ItemReply> {
  const { nodeId } = command;
  const known = image.broker(nodeId);
  if (known === undefined) {
    const message = `there is no broker ${nodeId}`;
    return nothing(refused(ErrorCode.BROKER_ID_NOT_REGISTERED, message));
  }
  const records: MetadataRecord[] = known.fenced ? [] : leadershipWithout(image, nodeId);
  records.push({ kind: "unregisterBroker", nodeId });
  return { records, reply: accepted };
}
