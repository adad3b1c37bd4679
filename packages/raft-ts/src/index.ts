export {
  describeEntries,
  describeEntry,
  describeMembership,
  describeMessage,
  describeRefusal,
} from "./describe.ts";
export type { Input, MembershipChange, Refusal } from "./inputs.ts";
export { MEMBERS_MAX, decodeMembership, encodeMembership, membership } from "./membership.ts";
export type {
  Append,
  AppendResponse,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  Message,
  PreVoteRequest,
  PreVoteResponse,
  TimeoutNow,
  VoteRequest,
  VoteResponse,
} from "./messages.ts";
export { ENTRY_OVERHEAD_BYTES, type Options, defaultOptions } from "./options.ts";
export type { Outbox, Persist, ReadState, RoleChange, RoleName } from "./outbox.ts";
export type { ProgressState } from "./progress.ts";
export { Raft } from "./raft.ts";
export { RestoreError, bootstrap } from "./restore.ts";
export type { PeerStatus, Status } from "./status.ts";
export type {
  Entry,
  EntryKind,
  HardState,
  Membership,
  NodeId,
  Restored,
  SnapshotMeta,
} from "./types.ts";
