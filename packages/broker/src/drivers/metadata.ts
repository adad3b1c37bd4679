import type { Uuid } from "@mantou/base";
import { BoundedQueue, assert, unreachable } from "@mantou/base";
import type { BrokerConfig, Command, MetadataRecord, ReplyTo } from "@mantou/catalog";
import { CatalogImage, apply, decide, decodeRecords, encodeRecords } from "@mantou/catalog";
import { encodeSnapshot, restoreSnapshot } from "@mantou/catalog";
import { ErrorCode, uuidFromBytes } from "@mantou/protocol";
import type { Ambient } from "../ambient.ts";
import type { ControllerPort, QuorumDescription } from "../handler.ts";
import { COMMANDS_PENDING_MAX } from "../limits.ts";
import type { Failure } from "../refusals.ts";
import { ControllerError } from "./controller-errors.ts";

/** What the metadata needs of the replicated log under it (`ControllerDriver`). */
export interface MetadataLog {
  /** Resolves when the entry is committed and applied here. */
  propose(entries: readonly Uint8Array[]): Promise<number>;
  quorum(): QuorumDescription;
}

interface QueuedCommand {
  readonly command: Command;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What a client is told when the controller has not taken its command; null for every other
 * error. All of them may be tried again.
 */
export function metadataFailure(error: unknown): Failure | null {
  if (!(error instanceof ControllerError)) return null;
  const errorMessage = error.message;
  switch (error.code) {
    case "NOT_LEADER":
    case "LEADERSHIP_LOST":
    case "STOPPED":
      return { errorCode: ErrorCode.NOT_CONTROLLER, errorMessage };
    case "OVERLOADED":
      return { errorCode: ErrorCode.REQUEST_TIMED_OUT, errorMessage };
    case "REFUSED":
      return { errorCode: ErrorCode.POLICY_VIOLATION, errorMessage };
    default:
      return unreachable(error.code);
  }
}

/** A topic that is gone, by the names that others know it under. */
export interface RemovedTopic {
  readonly name: string;
  readonly topicId: Uuid;
}

export interface MetadataParts {
  readonly ambient: Ambient;
  readonly config: BrokerConfig;
  readonly log: () => MetadataLog;
  /** Follows records that were applied live; the reply waits for it. */
  readonly follow: (
    records: readonly MetadataRecord[],
    removed: readonly RemovedTopic[],
  ) => Promise<void>;
}

/**
 * The catalog on its replicated log: commands are decided one at a time against everything
 * applied before, their records are committed, applied, followed, and then the reply is given.
 */
export class MetadataDriver implements ControllerPort {
  image = new CatalogImage();
  /** False during replay: the partitions are opened when the whole image stands. */
  live = false;
  private readonly queue = new BoundedQueue<QueuedCommand>(COMMANDS_PENDING_MAX);
  private readonly followed: Promise<void>[] = [];
  private running = false;

  constructor(private readonly parts: MetadataParts) {}

  decide<C extends Command>(command: C): Promise<ReplyTo<C>> {
    return new Promise<ReplyTo<C>>((resolve, reject) => {
      const queued = { command, resolve: resolve as (reply: unknown) => void, reject };
      if (!this.queue.push(queued)) {
        const why = `${COMMANDS_PENDING_MAX} metadata commands are waiting`;
        reject(new ControllerError("OVERLOADED", why));
        return;
      }
      if (!this.running) void this.run();
    });
  }

  quorum(): QuorumDescription {
    return this.parts.log().quorum();
  }

  /** One committed entry of the log: in replay and live, the only way in. */
  applyEntry(data: Uint8Array): void {
    const records = decodeRecords(data);
    if (!records.ok) {
      this.parts.ambient.fatal(`the metadata log cannot be read: ${records.error.message}`);
      return;
    }
    const removed: RemovedTopic[] = [];
    for (const record of records.value) {
      if (record.kind === "removeTopic") {
        const topic = this.image.topicById(record.topicId);
        if (topic !== undefined) removed.push({ name: topic.name, topicId: topic.topicId });
      }
      apply(this.image, record);
    }
    if (this.live) this.followed.push(this.parts.follow(records.value, removed));
  }

  snapshot(): Uint8Array {
    return encodeSnapshot(this.image);
  }

  restore(bytes: Uint8Array): void {
    assert(!this.live, "a snapshot is restored under a running broker");
    const image = restoreSnapshot(bytes);
    if (!image.ok) {
      this.parts.ambient.fatal(`the metadata snapshot cannot be read: ${image.error.message}`);
      return;
    }
    this.image = image.value;
  }

  private async run(): Promise<void> {
    this.running = true;
    for (;;) {
      const next = this.queue.shift();
      if (next === undefined) break;
      try {
        next.resolve(await this.carryOut(next.command));
      } catch (error) {
        next.reject(error);
      }
    }
    this.running = false;
  }

  private async carryOut(command: Command): Promise<unknown> {
    const { ambient, config } = this.parts;
    const { records, reply } = decide(this.image, command, {
      nowMs: ambient.clock.wallMs(),
      newUuid: () => newUuid(ambient),
      config,
    });
    if (records.length === 0) return reply;
    await this.parts.log().propose([encodeRecords(records)]);
    const followed = this.followed.splice(0);
    await Promise.all(followed);
    return reply;
  }
}

/** A random UUID (RFC 9562, version 4) in Kafka's text form. */
export function newUuid(ambient: Ambient): Uuid {
  const bytes = ambient.randomBytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return uuidFromBytes(bytes);
}
