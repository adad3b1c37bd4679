import type { Uuid } from "@mantou/base";
import type {
  ConsumerGroupDescribeResponseInput,
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
  DeleteGroupsResponseInput,
  DescribeGroupsResponseInput,
  HeartbeatRequest,
  HeartbeatResponseInput,
  JoinGroupRequest,
  JoinGroupResponseInput,
  LeaveGroupRequest,
  LeaveGroupResponseInput,
  ListGroupsResponseInput,
  OffsetCommitRequest,
  OffsetCommitResponseInput,
  OffsetDeleteRequest,
  OffsetDeleteResponseInput,
  OffsetFetchRequest,
  OffsetFetchResponseInput,
  SyncGroupRequest,
  SyncGroupResponseInput,
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponseInput,
} from "@mantou/protocol";

/** Who sent a request, as it is shown to operators and kept with the member. */
export interface Client {
  readonly clientId: string;
  /** Kafka's form: a slash and the address, such as `/127.0.0.1`. */
  readonly clientHost: string;
}

/** Answered when the round completes, which may be minutes later. */
export interface JoinGroup extends Client {
  readonly kind: "joinGroup";
  readonly request: JoinGroupRequest;
  readonly version: number;
}

/** Answered when the leader has handed in the assignments. */
export interface SyncGroup extends Client {
  readonly kind: "syncGroup";
  readonly request: SyncGroupRequest;
  readonly version: number;
}

export interface Heartbeat extends Client {
  readonly kind: "heartbeat";
  readonly request: HeartbeatRequest;
  readonly version: number;
}

/** Up to version 2 the one member is answered for at the top of the reply. */
export interface LeaveGroup extends Client {
  readonly kind: "leaveGroup";
  readonly request: LeaveGroupRequest;
  readonly version: number;
}

/** Topics that the client may not read are taken out before. */
export interface OffsetCommit {
  readonly kind: "offsetCommit";
  readonly request: OffsetCommitRequest;
  readonly version: number;
}

/**
 * That the producer may write to the group's partition of the internal topic, and that its
 * transaction is open there, is the driver's to check: the batch it appends is transactional.
 */
export interface TxnOffsetCommit {
  readonly kind: "txnOffsetCommit";
  readonly request: TxnOffsetCommitRequest;
  readonly version: number;
}

export interface OffsetDelete {
  readonly kind: "offsetDelete";
  readonly request: OffsetDeleteRequest;
  readonly version: number;
}

/** One group of an OffsetFetch, in the shape of version 8; older requests are brought into it. */
export interface OffsetFetch {
  readonly kind: "offsetFetch";
  readonly group: OffsetFetchRequest["groups"][number];
  readonly requireStable: boolean;
  /** From version 10 topics are named by id, in the answer too. */
  readonly version: number;
}

/** One classic group. Below version 6 a missing group is `Dead`, without an error. */
export interface DescribeGroup {
  readonly kind: "describeGroup";
  readonly groupId: string;
  readonly version: number;
}

/** One group of the consumer protocol. */
export interface ConsumerGroupDescribe {
  readonly kind: "consumerGroupDescribe";
  readonly groupId: string;
}

/** Empty filters let everything pass. Names are compared without case. */
export interface ListGroups {
  readonly kind: "listGroups";
  readonly statesFilter: readonly string[];
  readonly typesFilter: readonly string[];
}

export interface DeleteGroup {
  readonly kind: "deleteGroup";
  readonly groupId: string;
}

export interface ConsumerGroupHeartbeat extends Client {
  readonly kind: "consumerGroupHeartbeat";
  readonly request: ConsumerGroupHeartbeatRequest;
  readonly version: number;
}

/** Topics are gone: so are their offsets. From the driver, without a ticket. */
export interface TopicsDeleted {
  readonly kind: "topicsDeleted";
  readonly topics: readonly { readonly name: string; readonly topicId: Uuid }[];
}

/** Topics were created, or have more partitions, or other racks. From the driver. */
export interface TopicsChanged {
  readonly kind: "topicsChanged";
  readonly names: readonly string[];
}

/** The wait for first members of an empty group is over, unless more came meanwhile. */
export interface InitialDelayOver {
  readonly kind: "initialDelayOver";
  readonly groupId: string;
  readonly delayMs: number;
  readonly remainingMs: number;
}

/** Members had their time to join the round. */
export interface JoinTimeout {
  readonly kind: "joinTimeout";
  readonly groupId: string;
}

/** Members had their time to sync in the generation. */
export interface SyncTimeout {
  readonly kind: "syncTimeout";
  readonly groupId: string;
  readonly generationId: number;
}

/** A member of a classic group, or one that was told to come back, was silent for its session. */
export interface SessionTimeout {
  readonly kind: "sessionTimeout";
  readonly groupId: string;
  readonly memberId: string;
}

/** Looks through some groups for offsets that nobody needs any more. */
export interface ExpireOffsets {
  readonly kind: "expireOffsets";
}

/** A deadline of a group of the consumer protocol. What it means is the business of consumer/. */
export interface ConsumerTimer {
  readonly kind: "consumerTimer";
  readonly timer: "session" | "rebalance" | "join" | "sync" | "assignment" | "regex";
  readonly groupId: string;
  /** Empty where the timer is the group's. */
  readonly memberId: string;
  readonly epoch: number;
}

export type GroupTimer =
  InitialDelayOver | JoinTimeout | SyncTimeout | SessionTimeout | ExpireOffsets | ConsumerTimer;

export type GroupCommand =
  | JoinGroup
  | SyncGroup
  | Heartbeat
  | LeaveGroup
  | OffsetCommit
  | TxnOffsetCommit
  | OffsetDelete
  | OffsetFetch
  | DescribeGroup
  | ConsumerGroupDescribe
  | ListGroups
  | DeleteGroup
  | ConsumerGroupHeartbeat
  | TopicsDeleted
  | TopicsChanged
  | GroupTimer;

/** What each command is answered with: a response of the protocol, or one group's part of it. */
export interface Replies {
  readonly joinGroup: JoinGroupResponseInput;
  readonly syncGroup: SyncGroupResponseInput;
  readonly heartbeat: HeartbeatResponseInput;
  readonly leaveGroup: LeaveGroupResponseInput;
  readonly offsetCommit: OffsetCommitResponseInput;
  readonly txnOffsetCommit: Omit<TxnOffsetCommitResponseInput, "throttleTimeMs">;
  readonly offsetDelete: OffsetDeleteResponseInput;
  readonly offsetFetch: NonNullable<OffsetFetchResponseInput["groups"]>[number];
  readonly describeGroup: DescribeGroupsResponseInput["groups"][number];
  readonly consumerGroupDescribe: ConsumerGroupDescribeResponseInput["groups"][number];
  readonly listGroups: ListGroupsResponseInput["groups"];
  readonly deleteGroup: DeleteGroupsResponseInput["results"][number];
  readonly consumerGroupHeartbeat: Omit<ConsumerGroupHeartbeatResponseInput, "throttleTimeMs">;
}

export type Answered = keyof Replies;
export type GroupReply = Replies[Answered];
export type ReplyTo<C extends { readonly kind: Answered }> = Replies[C["kind"]];

/** Groups ask nothing of their driver but to write, to wait and to answer. */
export type GroupRequest = never;
