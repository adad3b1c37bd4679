import type { JoinGroupRequest } from "@mantou/protocol";

export type MemberProtocol = JoinGroupRequest["protocols"][number];

/** A request that waits for the round: who is to be answered, and in which version. */
export interface Parked {
  readonly ticket: number;
  readonly version: number;
}

export interface ClassicMemberInput {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly MemberProtocol[];
  readonly assignment: Uint8Array;
}

export const NO_BYTES = new Uint8Array(0);
/** What a protocol costs beside its name and metadata: a flood of empty ones is not free. */
const PROTOCOL_COST_BYTES = 32;

/** A member of a classic group. */
export class ClassicMember {
  readonly memberId: string;
  /** Set for a static member, whose place outlives its process. */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  /** In the order of the member's preference, each name once. */
  protocols: readonly MemberProtocol[];
  assignment: Uint8Array;
  /** The JoinGroup that waits for the round to complete. */
  join: Parked | null = null;
  /** The SyncGroup that waits for the leader's assignments. */
  sync: Parked | null = null;
  /** Has joined and not yet been told its id's generation: it cannot send heartbeats. */
  isNew = false;
  /** When the session is over; monotonic. */
  deadlineMs = 0;
  /** When the session's timer fires: at or before the deadline. 0: it is not set. */
  armedMs = 0;

  constructor(input: ClassicMemberInput) {
    this.memberId = input.memberId;
    this.groupInstanceId = input.groupInstanceId;
    this.clientId = input.clientId;
    this.clientHost = input.clientHost;
    this.rebalanceTimeoutMs = input.rebalanceTimeoutMs;
    this.sessionTimeoutMs = input.sessionTimeoutMs;
    this.protocols = input.protocols;
    this.assignment = input.assignment;
  }

  metadataOf(protocolName: string | null): Uint8Array {
    for (const protocol of this.protocols) {
      if (protocol.name === protocolName) return protocol.metadata;
    }
    return NO_BYTES;
  }

  /** Whether the member says of itself what it said before, in the same order. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false;
    return protocols.every((protocol, index) => {
      const known = this.protocols[index] as MemberProtocol;
      return known.name === protocol.name && sameBytes(known.metadata, protocol.metadata);
    });
  }
}

export function metadataBytes(protocols: readonly MemberProtocol[]): number {
  let total = 0;
  for (const { name, metadata } of protocols) {
    total += PROTOCOL_COST_BYTES + name.length + metadata.length;
  }
  return total;
}

/** Each name once: the first counts. */
export function withoutDoubles(protocols: readonly MemberProtocol[]): readonly MemberProtocol[] {
  const names = new Set(protocols.map((protocol) => protocol.name));
  if (names.size === protocols.length) return protocols;
  return protocols.filter((protocol) => names.delete(protocol.name));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
