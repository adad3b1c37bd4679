import { join } from "node:path";
import { javaCommand } from "../apache-kafka/index.ts";
import { driversFolder } from "../driver-process.ts";
import { installConfluentKafka, installNodeClients } from "../installations.ts";
import { apacheKafkaUnavailable } from "../apache-kafka/index.ts";

/** How one member of a group is to be. */
export interface MemberOptions {
  readonly bootstrap: string;
  readonly group: string;
  readonly topic: string;
  readonly protocol: "classic" | "consumer";
  readonly instance: string | null;
  /** "eager" or "cooperative", in the words of each client. */
  readonly isCooperative: boolean;
  readonly sessionTimeoutMs: number;
}

/** A client that can be a member of a group, or the reason for which its tests are skipped. */
export interface MemberFamily {
  readonly name: string;
  readonly protocols: readonly MemberOptions["protocol"][];
  /** Whether it has static members and the cooperative assignor. */
  readonly isComplete: boolean;
  /** Set where it may read again what it has committed, whatever the broker does. */
  readonly rereads?: boolean;
  readonly find: () => Promise<MemberProgram | { readonly skip: string }>;
}

interface MemberProgram {
  readonly command: (options: MemberOptions) => Promise<string[]>;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const ASSIGNORS = "org.apache.kafka.clients.consumer";

/** Apache's own verifiable consumer, as it is. */
async function java(): Promise<MemberProgram | { readonly skip: string }> {
  const missing = await apacheKafkaUnavailable();
  if (missing !== null) return { skip: missing };
  return {
    command: (options) => {
      const args = ["--bootstrap-server", options.bootstrap, "--group-id", options.group];
      args.push("--topic", options.topic, "--reset-policy", "earliest");
      args.push("--group-protocol", options.protocol);
      if (options.protocol === "classic") {
        const assignor = options.isCooperative ? "CooperativeStickyAssignor" : "RangeAssignor";
        args.push("--assignment-strategy", `${ASSIGNORS}.${assignor}`);
        args.push("--session-timeout", String(options.sessionTimeoutMs));
      }
      if (options.instance !== null) args.push("--group-instance-id", options.instance);
      return javaCommand("org.apache.kafka.tools.VerifiableConsumer", args, { heap: "64m" });
    },
  };
}

async function confluentKafka(): Promise<MemberProgram | { readonly skip: string }> {
  const installation = await installConfluentKafka();
  if ("skip" in installation) return installation;
  const program = join(driversFolder, "confluent_group_member.py");
  return {
    command: async (options) => {
      const assignor = options.isCooperative ? "cooperative-sticky" : "range";
      return ["python3", program, JSON.stringify({ ...options, assignor })];
    },
    cwd: installation.folder,
    environment: { PYTHONPATH: installation.folder, PYTHONDONTWRITEBYTECODE: "1" },
  };
}

const node =
  (...words: readonly string[]) =>
  async (): Promise<MemberProgram | { readonly skip: string }> => {
    const installation = await installNodeClients();
    if ("skip" in installation) return installation;
    return {
      command: async (options) => [...words, JSON.stringify(options)],
      cwd: installation.folder,
    };
  };

export const memberFamilies: readonly MemberFamily[] = [
  { name: "Java", protocols: ["classic", "consumer"], isComplete: true, find: java },
  {
    name: "librdkafka (confluent-kafka)",
    protocols: ["classic", "consumer"],
    isComplete: true,
    find: confluentKafka,
  },
  {
    name: "kafkajs",
    protocols: ["classic"],
    isComplete: false,
    find: node("node", "kafkajs-group-member.mjs"),
  },
  {
    name: "@platformatic/kafka 2 on Bun",
    protocols: ["classic", "consumer"],
    isComplete: false,
    // A commit that a rebalance overtakes is reported as done; so it is with Apache's broker too.
    rereads: true,
    find: node(process.execPath, "platformatic-group-member.mjs", "@platformatic/kafka"),
  },
];

/** What one member has read, and whether it had said so to the group. */
export interface ReadRange {
  readonly partition: number;
  readonly minOffset: number;
  readonly maxOffset: number;
}

interface MemberEvent {
  readonly name: string;
  readonly success?: boolean;
  readonly partitions?: readonly (ReadRange & { readonly topic: string })[];
  readonly offsets?: readonly { readonly partition: number; readonly offset: number }[];
}

const STDERR_CHARS_KEPT = 4000;

/** A member in a process of its own. Its events are kept; its assignment is what they add up to. */
export class GroupMember {
  readonly reads: ReadRange[] = [];
  /** By partition: everything below was committed by this member. */
  readonly committed = new Map<number, number>();
  /** Every partition that was ever taken from it, each time. */
  readonly revoked: number[] = [];
  assignments = 0;
  wasKilled = false;
  private readonly held = new Set<number>();
  private readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  private readonly reading: Promise<unknown>;
  private errors = "";

  private constructor(program: MemberProgram, command: string[]) {
    this.child = Bun.spawn(command, {
      ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
      env: { ...process.env, ...program.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this.child);
    void this.child.exited.finally(() => running.delete(this.child));
    this.reading = Promise.all([this.pump(), this.keepErrors()]);
  }

  static async start(program: MemberProgram, options: MemberOptions): Promise<GroupMember> {
    return new GroupMember(program, await program.command(options));
  }

  /** The partitions that it holds now, ascending. */
  get partitions(): number[] {
    return [...this.held].sort((a, b) => a - b);
  }

  /** What a failed wait should show. */
  get words(): string {
    const state = this.child.exitCode === null ? "running" : `exited ${this.child.exitCode}`;
    return `${state}, holds [${this.partitions.join()}]${this.errors === "" ? "" : `:\n${this.errors}`}`;
  }

  /** SIGTERM: leaves the group. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 30_000);
    await this.child.exited;
    clearTimeout(timer);
    await this.reading;
    this.held.clear();
  }

  /** kill -9: the group learns of it by the session timeout. */
  async kill(): Promise<void> {
    this.wasKilled = true;
    this.child.kill("SIGKILL");
    await this.child.exited;
    await this.reading;
    this.held.clear();
  }

  private take(event: MemberEvent): void {
    switch (event.name) {
      case "partitions_assigned":
        this.assignments += 1;
        for (const { partition } of event.partitions ?? []) this.held.add(partition);
        return;
      case "partitions_revoked":
        for (const { partition } of event.partitions ?? []) {
          this.held.delete(partition);
          this.revoked.push(partition);
        }
        return;
      case "records_consumed":
        for (const { partition, minOffset, maxOffset } of event.partitions ?? []) {
          this.reads.push({ partition, minOffset, maxOffset });
        }
        return;
      case "offsets_committed":
        if (event.success === false) return;
        for (const { partition, offset } of event.offsets ?? []) {
          this.committed.set(partition, Math.max(offset, this.committed.get(partition) ?? 0));
        }
        return;
      default:
    }
  }

  private async pump(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("{")) this.take(JSON.parse(line));
    }
  }

  private async keepErrors(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stderr) {
      const text = this.errors + decoder.decode(chunk, { stream: true });
      this.errors = text.slice(-STDERR_CHARS_KEPT);
    }
  }
}

/** Members that run now: a test run that ends in the middle leaves none behind. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
