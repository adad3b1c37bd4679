import type { Client } from "@mantou/client";
import { run } from "../children.ts";
import { coordinatorOf } from "./coordinator.ts";

const MEMBERS = 100;
const ROUNDS = 10;
const GROUP = "rebalanced";
const TIMEOUT_MS = 120_000;

/** What rebalancing a group of a hundred takes. */
export interface Rebalances {
  /** From a member's first request until everybody has joined and been given an assignment. */
  readonly medianMs: number;
  /** All that there were, those that founded the group or followed a leave included. */
  readonly rebalances: number;
}

/** What the load generator says; `native/loadgen/src/rebalance.rs` writes it. */
interface RebalanceReport {
  readonly assignedMs: readonly number[];
  readonly rebalances: number;
}

/**
 * A member comes to a group of a hundred and goes again, ten times. The load generator is all
 * members: a hundred clients in JavaScript take more of two processors than the coordinator does.
 */
export async function measureRebalances(
  loadgen: string,
  client: Client,
  address: string,
  topic: string,
): Promise<Rebalances> {
  // The one node there is leads every group; asked, it makes the topic that they are kept in.
  await coordinatorOf(client, "group", GROUP);
  const command = [loadgen, "rebalance", address, GROUP, topic, String(MEMBERS), String(ROUNDS)];
  const { code, stdout, stderr } = await run(command, { timeoutMs: TIMEOUT_MS });
  if (code !== 0) throw new Error(`the members of a group failed: ${stderr.trim()}`);
  return readReport(stdout);
}

/** The median of the times that the load generator has printed. Throws where there are none. */
export function readReport(text: string): Rebalances {
  const { assignedMs, rebalances } = JSON.parse(text) as RebalanceReport;
  const sorted = assignedMs.toSorted((a, b) => a - b);
  const medianMs = sorted[Math.floor(sorted.length / 2)];
  if (medianMs === undefined) throw new Error("no member joined the group");
  return { medianMs, rebalances };
}
