import { expect, test } from "bun:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorName } from "@mantou/protocol";
import type { ClientVersion, TransactionCommand, TransactionReply } from "../src/index.ts";
import {
  decodeTransactionKey,
  decodeTransactionValue,
  defaultTransactionOptions,
  encodeTransaction,
  transactionStateName,
  transactionStateOf,
} from "../src/index.ts";
import { newTransaction } from "../src/transaction.ts";
import { ShardHost } from "./shard-host.ts";

/**
 * Conversations with the machine. A line with `>` is said to it; indented lines are its words:
 * `=` the reply, `!` a request to its driver, `+` a record. MANTOU_REWRITE=1 writes them anew.
 */
const folder = join(import.meta.dir, "transcripts");

const options = {
  ...defaultTransactionOptions,
  idsMax: 3,
  partitionsMax: 4,
  sweepIntervalMs: 10_000,
  concurrentWaitMs: 100,
};

class Conversation {
  private readonly host = new ShardHost(options);
  private readonly words: string[] = [];
  private seen = 0;

  /** Says one line and gives what came of it. */
  say(line: string): string[] {
    const [verb = "", ...words] = line.split(" ");
    this.command(verb, words);
    this.noteRecords();
    if (verb !== "crash") this.host.flush();
    for (const request of this.host.requests) {
      if (request.kind === "giveProducerId") this.words.push("  ! a producer id");
      else {
        const { isCommit, producerEpoch, producerId, topics, transactionalId } = request;
        const where = topics.map(({ partitions, topic }) => `${topic}:${partitions.join()}`);
        this.words.push(
          `  ! ${isCommit ? "commit" : "abort"} markers of ${transactionalId} ${producerId}/${producerEpoch} v${request.transactionVersion} to ${where.join(" ")}`,
        );
      }
    }
    if (verb !== "give") this.asked = [...this.asked, ...this.host.requests];
    this.host.requests.length = 0;
    return this.words.splice(0);
  }

  private asked: ShardHost["requests"] = [];

  private ask(command: TransactionCommand): void {
    this.host.ask(command, (reply) => this.words.push(`  = ${textOf(reply)}`));
  }

  private command(verb: string, words: readonly string[]): void {
    const [transactionalId = "", ids = ""] = words;
    const [producerId = -1, producerEpoch = -1] = ids.split("/").map(Number);
    const who = { transactionalId, producerId, producerEpoch };
    const clientVersion: ClientVersion = words.includes("v2") ? 2 : 0;
    switch (verb) {
      case "init": {
        const resumes = ids.includes("/");
        const timeoutMs = Number(
          words.find((word) => word.startsWith("timeout="))?.slice(8) ?? 1000,
        );
        const given = resumes ? who : { transactionalId, producerId: -1, producerEpoch: -1 };
        return this.ask({ kind: "initProducerId", ...given, timeoutMs });
      }
      case "add":
      case "verify": {
        const partitions = (words[2] ?? "").split(",").map(Number);
        const topics = [{ topic: "t", partitions }];
        return verb === "add"
          ? this.ask({ kind: "addPartitions", ...who, topics, clientVersion })
          : this.ask({ kind: "verifyPartitions", ...who, topics });
      }
      case "commit":
      case "abort":
        return this.ask({
          kind: "endTransaction",
          ...who,
          isCommit: verb === "commit",
          clientVersion,
        });
      case "written": {
        const topics = [{ topic: "t", partitions: (words[2] ?? "").split(",").map(Number) }];
        return this.host.tell({ kind: "markersWritten", ...who, topics });
      }
      case "give": {
        const at = this.asked.findIndex((request) => request.kind === "giveProducerId");
        const [request] = this.asked.splice(at, 1);
        if (request?.kind !== "giveProducerId") throw new Error("nobody has asked for an id");
        const freshProducerId = transactionalId === "none" ? null : Number(transactionalId);
        const { command, ticket } = request;
        return this.host.tell({ kind: "producerIdGiven", ticket, command, freshProducerId });
      }
      case "pass":
        this.host.nowMs += Number(transactionalId);
        return this.host.fireTimers();
      case "describe":
        return this.ask({ kind: "describe", transactionalId });
      case "list": {
        const states = words.flatMap((word) => transactionStateOf(word) ?? []);
        const runningMs = Number(words.find((word) => word.startsWith("running="))?.slice(8) ?? -1);
        const producerIds = words.flatMap((word) =>
          word.startsWith("pid=") ? [Number(word.slice(4))] : [],
        );
        return this.ask({ kind: "list", states, producerIds, runningMs });
      }
      case "stored": {
        const known = newTransaction(transactionalId);
        Object.assign(known, { producerId, producerEpoch, timeoutMs: 1000 });
        this.host.log.push(encodeTransaction(known, 0));
        this.host.flush();
        return this.host.crash();
      }
      case "crash":
        return this.host.crash();
      default:
        throw new Error(`the machine does not know ${verb}`);
    }
  }

  private noteRecords(): void {
    const { log } = this.host;
    this.seen = Math.min(this.seen, log.length);
    for (const { key, value } of log.slice(this.seen)) {
      const id = decodeTransactionKey(key) ?? "?";
      const one = value === null ? null : decodeTransactionValue(id, value);
      const where = [...(one?.partitions ?? [])].map(
        ([topic, set]) => ` ${topic}:${[...set].join()}`,
      );
      this.words.push(
        one === null
          ? `  + ${id} is gone`
          : `  + ${id} ${transactionStateName(one.state)} ${one.producerId}/${one.producerEpoch}${where.join("")}`,
      );
    }
    this.seen = log.length;
  }
}

function textOf(reply: TransactionReply | null): string {
  if (reply === null) return "lost";
  switch (reply.kind) {
    case "producer":
      return reply.errorCode === 0
        ? `${reply.producerId}/${reply.producerEpoch}`
        : errorName(reply.errorCode);
    case "partitions": {
      const refused = reply.refused.map(({ partitions }) => partitions.join());
      return refused.length === 0
        ? errorName(reply.errorCode)
        : `${errorName(reply.refusedCode)} for ${refused.join()}`;
    }
    case "description": {
      const { description } = reply;
      if (description === null) return errorName(reply.errorCode);
      const { producerEpoch, producerId, state, timeoutMs } = description;
      return `${transactionStateName(state)} ${producerId}/${producerEpoch} timeout ${timeoutMs}`;
    }
    case "list":
      return (
        reply.transactions
          .map((one) => `${one.transactionalId}:${transactionStateName(one.state)}`)
          .join(" ") || "nothing"
      );
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
  test(file, () => {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    let conversation = new Conversation();
    const lines: string[] = [];
    for (const line of text.split("\n")) {
      if (line.startsWith("#")) conversation = new Conversation();
      if (line.startsWith("  ")) continue;
      lines.push(line);
      if (line.startsWith("> ")) lines.push(...conversation.say(line.slice(2)));
    }
    if (process.env["MANTOU_REWRITE"] === "1") writeFileSync(path, lines.join("\n"));
    else expect(lines.join("\n")).toBe(text);
  });
}
