import { unreachable } from "@mantou/base";
import type { PartitionInput } from "./partition-inputs.ts";
import type { PartitionTable } from "./partition-table.ts";

/** Hands an input to the method of its name. */
export function stepPartitions(table: PartitionTable, input: PartitionInput, nowMs: number): void {
  switch (input.kind) {
    case "opened":
      return table.opened(input.logId, input.state, nowMs);
    case "closed":
      return table.closed(input.logId);
    case "leadership":
      return table.leadership(
        input.logId,
        input.leader,
        input.leaderEpoch,
        input.membership,
        nowMs,
      );
    case "appended":
      return table.appended(input.logId, input.endOffset);
    case "replicated":
      return table.replicated(input.logId, input.baseOffset, input.endOffset, input.batchEpoch);
    case "written":
      return void table.written(input.logId, input.endOffset);
    case "durable":
      return void table.durable(input.logId, input.endOffset);
    case "fetched":
      return table.fetched(input.logId, input.nodeId, input.fetchedEnd, input.durableEnd, nowMs);
    case "leaderWatermark":
      return table.leaderWatermark(input.logId, input.highWatermark);
    case "truncated":
      return table.truncated(input.logId, input.endOffset);
    case "trimmed":
      return table.trimmed(input.logId, input.startOffset);
    case "isrRefused":
      return table.isrRefused(input.change);
    case "failed":
      return table.failed(input.logId);
    case "tick":
      return table.tick(nowMs);
    default:
      return unreachable(input);
  }
}
