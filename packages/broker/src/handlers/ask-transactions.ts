import { ErrorCode } from "@mantou/protocol";
import type { TransactionCommand, TransactionReply } from "@mantou/transactions";
import type { BrokerContext, Outcome } from "../handler.ts";
import { answer, waits } from "../handler.ts";

/** From these versions on an API's clients know PRODUCER_FENCED (KIP-588). */
export const FENCED_SINCE = { initProducerId: 4, others: 2 } as const;

/** Older clients know a fenced producer by its epoch only. */
export const fencedCode = (errorCode: ErrorCode, isKnown: boolean): ErrorCode =>
  errorCode === ErrorCode.PRODUCER_FENCED && !isKnown
    ? ErrorCode.INVALID_PRODUCER_EPOCH
    : errorCode;

/** The part of a reply that commands of one kind get. */
export type ReplyOf<Kind extends TransactionReply["kind"]> = Extract<
  TransactionReply,
  { readonly kind: Kind }
>;

/**
 * One question to the shard of one transactional id; an id without a name has none.
 *
 * @param refuse the API's own form of an error that the shard could not give itself.
 */
export function askTransaction<Kind extends TransactionReply["kind"], Response>(
  broker: BrokerContext,
  transactionalId: string,
  command: TransactionCommand,
  answered: (reply: ReplyOf<Kind>) => Response,
  refuse: (errorCode: ErrorCode) => Response,
): Outcome<Response> {
  if (transactionalId === "") return answer(refuse(ErrorCode.INVALID_REQUEST));
  return waits((respond) =>
    broker.transactions.ask(transactionalId, command, (errorCode, reply) =>
      // A reply has the kind that belongs to its command: that is the machine's contract.
      respond(reply === null ? refuse(errorCode) : answered(reply as ReplyOf<Kind>)),
    ),
  );
}
