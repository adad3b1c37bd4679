import type { CoordinatorRecord, Uuid } from "@mantou/base";
import type { ConsumerGroupHeartbeatRequest } from "@mantou/protocol";
import { decodeConsumerAssignment, errorName } from "@mantou/protocol";
import { decodeConsumerRecord } from "../src/records/consumer-records.ts";
import type { Replies } from "../src/index.ts";
import { recordTypeOf } from "../src/index.ts";
import { World, classicJoin, joinOf } from "./consumer-world.ts";
import { replayBlocks } from "./transcript-blocks.ts";

type Options = Readonly<Record<string, string>>;
type Listed = readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[];

/**
 * Reads a transcript: blocks of commands, `----`, and what the coordinator said and wrote. Returns
 * the same text with what it says now.
 */
export const replayTranscript = (text: string): string => replayBlocks(new Stage(), text);

interface Known {
  epoch: number;
  memberId: string;
  owned: Listed;
  instance: string | null;
}

/** One shard and the members that the transcript names. */
class Stage {
  private readonly world = new World({ initialRebalanceDelayMs: 0 });
  private readonly known = new Map<string, Known>();
  private readonly topicNames = new Map<string, string>();
  private said: string[] = [];

  run(command: string): string[] {
    this.said = [];
    const [verb = "", ...words] = command.trim().split(/\s+/);
    const act = this.verbs[verb];
    if (act === undefined) throw new Error(`unknown command: ${command}`);
    const options = Object.fromEntries(
      words
        .filter((word) => word.includes("="))
        .map((word) => {
          const at = word.indexOf("=");
          return [word.slice(0, at), word.slice(at + 1)];
        }),
    );
    this.world.wrote = [];
    act(
      words.filter((word) => !word.includes("=")),
      options,
    );
    for (const record of this.world.wrote) this.said.push(`  ${this.recordText(record)}`);
    this.world.shard.checkInvariants();
    return this.said;
  }

  private readonly verbs: Record<string, (words: string[], options: Options) => void> = {
    topic: ([name = "", count], { racks }) => {
      const lists = racks === undefined ? [] : racks.split(",").map((rack) => rack.split("+"));
      this.topicNames.set(this.world.topics.create(name, Number(count), lists), name);
      this.world.tell({ kind: "topicsChanged", names: [name] });
    },
    grow: ([name = "", count]) => {
      this.world.topics.grow(name, Number(count));
      this.world.tell({ kind: "topicsChanged", names: [name] });
    },
    drop: ([name = ""]) => {
      const topicId = this.world.topics.idOf(name) as Uuid;
      this.world.topics.delete(name);
      this.world.tell({ kind: "topicsDeleted", topics: [{ name, topicId }] });
    },
    join: ([who = ""], options) => this.join(who, options),
    beat: ([who = ""], options) => this.beat(who, options, null),
    // What the member was told last is what it owns now.
    ack: ([who = ""], options) => this.beat(who, options, this.knownOf(who).owned),
    leave: ([who = ""]) => this.leave(who, -1),
    away: ([who = ""]) => this.leave(who, -2),
    commit: ([who = "", epoch], { version }) => this.commit(who, epoch, Number(version ?? 9)),
    "classic-join": ([who = ""], options) => this.classicJoin(who, options),
    "classic-sync": ([who = ""]) => this.classicSync(who),
    "classic-beat": ([who = ""]) => this.classicBeat(who),
    "classic-leave": ([who = ""]) => this.classicLeave(who),
    describe: () => this.describe(),
    pass: ([ms]) => this.pass(Number(ms)),
    reload: () => this.world.reload(false),
    compact: () => this.world.reload(true),
    config: (_, options) => void this.world.configs.set("g", new Map(Object.entries(options))),
    policy: ([migrationPolicy]) => this.configure({ migrationPolicy }),
    "members-max": ([count]) => this.configure({ membersMax: Number(count) }),
    interval: ([ms]) => this.configure({ assignmentIntervalMs: Number(ms) }),
  };

  private configure(change: object): void {
    const consumer = { ...this.world.settings.consumer, ...change };
    this.world.settings = { ...this.world.settings, consumer };
  }

  private knownOf(who: string): Known {
    const fresh = { epoch: 0, memberId: who, owned: [], instance: null };
    const known = this.known.get(who) ?? fresh;
    this.known.set(who, known);
    return known;
  }

  private join(who: string, options: Options): void {
    const { topics, regex, instance, rack, assignor } = options;
    const known = this.knownOf(who);
    known.instance = instance ?? null;
    const request: Partial<ConsumerGroupHeartbeatRequest> = {
      subscribedTopicNames: topics === undefined ? [] : topics.split(",").filter(Boolean),
      subscribedTopicRegex: regex ?? null,
      instanceId: instance ?? null,
      rackId: rack ?? null,
      serverAssignor: assignor ?? null,
      rebalanceTimeoutMs: 60_000,
    };
    this.heard(who, this.world.heartbeat(joinOf(known.memberId, [], request)));
  }

  private beat(who: string, options: Options, owned: Listed | null): void {
    const known = this.knownOf(who);
    const { topics, regex, epoch } = options;
    const answer = this.world.heartbeat({
      memberId: known.memberId,
      memberEpoch: epoch === undefined ? known.epoch : Number(epoch),
      instanceId: known.instance,
      subscribedTopicNames: topics === undefined ? null : topics.split(",").filter(Boolean),
      subscribedTopicRegex: regex ?? null,
      topicPartitions:
        owned?.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] })) ?? null,
    });
    this.heard(who, answer);
  }

  private heard(who: string, answer: Replies["consumerGroupHeartbeat"]): void {
    const known = this.knownOf(who);
    if (answer.errorCode !== 0) {
      this.said.push(`${who} ${errorName(answer.errorCode)}: ${answer.errorMessage}`);
      return;
    }
    known.epoch = answer.memberEpoch;
    known.owned = answer.assignment?.topicPartitions ?? known.owned;
    const told = answer.assignment
      ? ` owns ${this.listText(answer.assignment.topicPartitions)}`
      : "";
    this.said.push(`${who} epoch=${answer.memberEpoch}${told}`);
  }

  private leave(who: string, memberEpoch: number): void {
    const { memberId, instance } = this.knownOf(who);
    this.heard(who, this.world.heartbeat({ memberId, memberEpoch, instanceId: instance }));
  }

  private commit(who: string, epoch: string | undefined, version: number): void {
    const known = this.knownOf(who);
    const partition = {
      partitionIndex: 0,
      committedOffset: 1,
      committedLeaderEpoch: -1,
      committedMetadata: null,
    };
    const [name = ""] = this.world.topics.names();
    const topic = { name, topicId: this.world.topics.idOf(name) as Uuid, partitions: [partition] };
    const answer = this.world.call({
      kind: "offsetCommit",
      version,
      request: {
        groupId: "g",
        generationIdOrMemberEpoch: epoch === undefined ? known.epoch : Number(epoch),
        memberId: known.memberId,
        groupInstanceId: null,
        retentionTimeMs: -1,
        topics: [topic],
      },
    });
    const error = answer.topics[0]?.partitions[0]?.errorCode ?? 0;
    this.said.push(`${who} commits: ${errorName(error)}`);
  }

  private ownedText(owned: string | undefined): { topic: string; partitions: number[] }[] {
    return (owned ?? "")
      .split(";")
      .filter(Boolean)
      .map((part) => {
        const [topic = "", list = ""] = part.split(":");
        return { topic, partitions: list.split(",").map(Number) };
      });
  }

  private classicJoin(who: string, { topics, owned, instance }: Options): void {
    const known = this.knownOf(who);
    const memberId = known.memberId === who ? "" : known.memberId;
    const request = classicJoin(memberId, (topics ?? "").split(","), this.ownedText(owned), {
      groupInstanceId: instance ?? null,
    });
    const ask = (id: string): number =>
      this.world.ask({
        kind: "joinGroup",
        clientId: who,
        clientHost: "/127.0.0.1",
        version: 5,
        request: { ...request, memberId: id },
      });
    let answer = this.world.answer("joinGroup", ask(memberId));
    if (answer?.errorCode === 79) answer = this.world.answer("joinGroup", ask(answer.memberId));
    if (answer === undefined) {
      this.said.push(`${who} waits`);
      return;
    }
    if (answer.errorCode !== 0) {
      this.said.push(`${who} ${errorName(answer.errorCode)}`);
      return;
    }
    known.memberId = answer.memberId;
    known.epoch = answer.generationId ?? -1;
    const leads = answer.leader === answer.memberId ? " leads" : "";
    this.said.push(`${who} generation=${known.epoch}${leads} protocol=${answer.protocolName}`);
  }

  private classicSync(who: string): void {
    const { epoch, memberId } = this.knownOf(who);
    const ticket = this.world.ask({
      kind: "syncGroup",
      clientId: who,
      clientHost: "/127.0.0.1",
      version: 5,
      request: {
        groupId: "g",
        generationId: epoch,
        memberId,
        groupInstanceId: null,
        protocolType: "consumer",
        protocolName: "range",
        assignments: [],
      },
    });
    const answer = this.world.answer("syncGroup", ticket);
    if (answer === undefined || answer.errorCode !== 0) {
      this.said.push(`${who} ${answer === undefined ? "waits" : errorName(answer.errorCode)}`);
      return;
    }
    const given =
      answer.assignment.length === 0 ? null : decodeConsumerAssignment(answer.assignment);
    const list = (given?.assignedPartitions ?? []).map(({ topic, partitions }) => {
      return `${topic}:${partitions.join(",")}`;
    });
    this.said.push(`${who} owns ${list.join(" ") || "nothing"}`);
  }

  private classicBeat(who: string): void {
    const { epoch, memberId } = this.knownOf(who);
    const request = { groupId: "g", generationId: epoch, memberId, groupInstanceId: null };
    const command = {
      kind: "heartbeat",
      clientId: who,
      clientHost: "/127.0.0.1",
      version: 4,
    } as const;
    this.said.push(`${who} ${errorName(this.world.call({ ...command, request }).errorCode)}`);
  }

  private classicLeave(who: string): void {
    const { memberId } = this.knownOf(who);
    const answer = this.world.call({
      kind: "leaveGroup",
      clientId: who,
      clientHost: "/127.0.0.1",
      version: 5,
      request: {
        groupId: "g",
        memberId: "",
        members: [{ memberId, groupInstanceId: null, reason: null }],
      },
    });
    const errors = answer.members?.map(({ errorCode }) => errorName(errorCode)) ?? [];
    this.said.push(`${who} ${errors.join(" ")}`);
  }

  private describe(): void {
    const group = this.world.describe();
    if (group.errorCode !== 0) {
      const classic = this.world.call({ kind: "describeGroup", groupId: "g", version: 6 });
      const who = classic.members.map(({ memberId }) => memberId).join(" ");
      this.said.push(
        `${errorName(group.errorCode)}; classic: ${classic.groupState} ${who}`.trimEnd(),
      );
      return;
    }
    const { groupState, groupEpoch, assignmentEpoch, assignorName } = group;
    this.said.push(
      `${groupState} epoch=${groupEpoch} target=${assignmentEpoch} by ${assignorName}`,
    );
    for (const member of group.members) {
      const has = this.listText(member.assignment.topicPartitions);
      const shall = this.listText(member.targetAssignment.topicPartitions);
      const classic = member.memberType === 0 ? " classic" : "";
      const goal = has === shall ? "" : `, shall have ${shall}`;
      this.said.push(`${member.memberId}${classic} epoch=${member.memberEpoch} has ${has}${goal}`);
    }
  }

  private pass(ms: number): void {
    const before = this.world.log.length;
    this.world.pass(ms);
    this.world.wrote = this.world.log.slice(before);
  }

  private listText(list: Listed): string {
    const texts = list.map(({ topicId, partitions }) => {
      return `${this.topicNames.get(topicId) ?? topicId}:${partitions.join(",")}`;
    });
    return texts.toSorted().join(" ") || "nothing";
  }

  private recordText(record: CoordinatorRecord): string {
    const type = recordTypeOf(record.key);
    if (type < 2) return "offset";
    if (type === 2) return record.value === null ? "no classic group" : "classic group";
    const read = decodeConsumerRecord(type, record);
    switch (read?.kind) {
      case undefined:
        return `type ${type}`;
      case "groupEpoch":
        return read.value === null ? "no group" : `group epoch=${read.value.epoch}`;
      case "targetMetadata":
        return read.value === null ? "no target" : `target epoch=${read.value.assignmentEpoch}`;
      case "targetMember":
        if (read.value === null) return `no target ${read.memberId}`;
        return `target ${read.memberId} ${this.listText(read.value.topicPartitions)}`;
      case "memberMetadata": {
        if (read.value === null) return `no member ${read.memberId}`;
        const { subscribedTopicNames, subscribedTopicRegex, instanceId } = read.value;
        const regex = subscribedTopicRegex ? ` regex=${subscribedTopicRegex}` : "";
        const instance = instanceId === null ? "" : ` instance=${instanceId}`;
        const classic = read.value.classicMemberMetadata === null ? "" : " classic";
        return `member ${read.memberId} topics=${subscribedTopicNames.join(",")}${regex}${instance}${classic}`;
      }
      case "current": {
        if (read.value === null) return `no current ${read.memberId}`;
        const state = ["stable", "unrevoked", "unreleased"][read.value.state];
        const { memberEpoch, assignedPartitions, partitionsPendingRevocation } = read.value;
        const revoking = this.listText(partitionsPendingRevocation);
        const gives = revoking === "nothing" ? "" : ` revokes ${revoking}`;
        return `current ${read.memberId} epoch=${memberEpoch} ${state} ${this.listText(assignedPartitions)}${gives}`;
      }
      case "regex":
        if (read.value === null) return `no regex ${read.regularExpression}`;
        return `regex ${read.regularExpression} matches ${read.value.topics.join(",") || "nothing"}`;
    }
  }
}
