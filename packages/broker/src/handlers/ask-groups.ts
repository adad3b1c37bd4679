import type { ReplyTo } from "@mantou/groups";
import { ErrorCode } from "@mantou/protocol";
import type { GroupQuestion } from "../coordinators/group-coordinator.ts";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, waits } from "../handler.ts";

/** Who sends a request, as groups keep it. */
export const clientOf = (
  broker: BrokerContext,
  call: Call,
): { readonly clientId: string; readonly clientHost: string } => ({
  clientId: call.clientId,
  clientHost: broker.clientHost(call),
});

/**
 * One question to the shard of one group.
 *
 * @param refuse the API's own form of an error that the shard could not give itself.
 */
export function askGroup<C extends GroupQuestion, Response>(
  broker: BrokerContext,
  groupId: string,
  command: C,
  answered: (reply: ReplyTo<C>) => Response,
  refuse: (errorCode: ErrorCode) => Response,
): Outcome<Response> {
  return waits((respond) =>
    broker.groups.ask(groupId, command, (errorCode, reply) =>
      respond(reply === null ? refuse(errorCode) : answered(reply)),
    ),
  );
}

/** As `askGroup`, for the requests of members: a group without a name has none. */
export function askNamedGroup<C extends GroupQuestion, Response>(
  broker: BrokerContext,
  groupId: string,
  command: C,
  answered: (reply: ReplyTo<C>) => Response,
  refuse: (errorCode: ErrorCode) => Response,
): Outcome<Response> {
  if (groupId === "") return answer(refuse(ErrorCode.INVALID_GROUP_ID));
  return askGroup(broker, groupId, command, answered, refuse);
}

/** Asks one question for each item and answers when all parts are there, in the items' order. */
export function gather<Item, Part, Response>(
  items: readonly Item[],
  ask: (item: Item, settle: (part: Part) => void) => void,
  all: (parts: Part[]) => Response,
): Outcome<Response> {
  if (items.length === 0) return answer(all([]));
  return waits((respond) => {
    const parts = Array.from<Part>({ length: items.length });
    let missing = items.length;
    for (const [index, item] of items.entries()) {
      ask(item, (part) => {
        parts[index] = part;
        missing -= 1;
        if (missing === 0) respond(all(parts));
      });
    }
  });
}
