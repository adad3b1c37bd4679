import { readFileSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { type Address, type Client, Connection, parseAddresses } from "@mantou/client";
import { describeClusterApi, metadataApi } from "@mantou/protocol";
import { table } from "../answer.ts";
import {
  advertisedAdvice,
  amiss,
  clockFinding,
  diskFinding,
  fileLimitFinding,
  type Finding,
  versionFinding,
  well,
} from "../checks.ts";
import type { Run } from "../command.ts";
import { explain } from "../explain.ts";
import { Exit } from "../failure.ts";
import { humaneBytes, humaneDuration, plural } from "../humane.ts";
import { describeQuorum } from "../quorum.ts";
import type { ClientSettings } from "../settings.ts";
import { partitionHealth } from "../topics.ts";

export const run: Run = async ({ settings, connect, output }) => {
  const client = await settings();
  const findings: Finding[] = [];
  const add = async (finding: Finding | null): Promise<void> => {
    if (finding === null) return;
    findings.push(finding);
    await output.progress(`${finding.check}: ${finding.detail}`);
  };
  await add(fileLimitFinding(limitsText()));
  const reached: Address[] = [];
  for (const address of parseAddresses(client.bootstrap)) {
    const before = findings.length;
    for (const finding of await bootstrapFindings(address, client)) await add(finding);
    if (!findings.slice(before).some(({ status }) => status === "fail")) reached.push(address);
  }
  const [entry] = reached;
  if (entry !== undefined) {
    const connected = await connect();
    for (const finding of await clusterFindings(connected, entry, client)) await add(finding);
  }
  const failed = findings.filter(({ status }) => status === "fail").length;
  const warned = findings.filter(({ status }) => status === "warn").length;
  const words = failed > 0 ? `${plural(failed, "check")} failed` : "all is well";
  const rows = findings.map((finding) => ({
    ...finding,
    detail:
      finding.ms === null ? finding.detail : `${finding.detail} (${humaneDuration(finding.ms)})`,
  }));
  return {
    data: { bootstrap: client.bootstrap, healthy: failed === 0, failed, warned, checks: findings },
    lines: findings,
    view: [
      table(rows, [
        { title: "CHECK", of: (row) => row.check },
        { title: "STATUS", of: (row) => row.status, kind: "status" },
        { title: "WHAT", of: (row) => row.detail },
      ]),
      ...findings
        .filter(({ cause }) => cause !== null)
        .map(
          ({ check, detail, cause, fix }) =>
            `\n${check}: ${detail}\n  cause: ${cause}\n  fix:   ${fix}`,
        ),
      `\n${words}${warned > 0 ? `, ${plural(warned, "warning")}` : ""}`,
    ],
    exitCode: failed > 0 ? Exit.UNHEALTHY : Exit.OK,
  };
};

function limitsText(): string | null {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return null;
  }
}

/** Name, connection and versions of one bootstrap address. */
async function bootstrapFindings(address: Address, settings: ClientSettings): Promise<Finding[]> {
  const where = `${address.host}:${address.port}`;
  const named = await nameFinding(address, settings);
  if (named.status === "fail") return [named];
  const findings = [named];
  const startedMs = performance.now();
  try {
    const connection = await Connection.open({ ...settings.client, ...address });
    findings.push(well("connect", where, performance.now() - startedMs));
    findings.push(versionFinding(new Map(connection.versions.entries())));
    connection.close();
  } catch (error) {
    const { message, hint } = explain(error, settings);
    const fix = hint?.replace("; look closer with: mantou doctor", "") ?? "check the address";
    findings.push(amiss("fail", "connect", where, { cause: message, fix }));
  }
  return findings;
}

async function nameFinding({ host }: Address, settings: ClientSettings): Promise<Finding> {
  const startedMs = performance.now();
  try {
    const found = await lookup(host, { all: true });
    const text = found.map(({ address }) => address).join(", ");
    return well("name", `${host} is ${text}`, performance.now() - startedMs);
  } catch (error) {
    return amiss("fail", "name", host, {
      cause: `the name cannot be resolved: ${(error as { code?: string }).code ?? String(error)}`,
      fix: `check the spelling (it comes from ${settings.bootstrapFrom}), DNS and /etc/hosts`,
    });
  }
}

async function clusterFindings(
  client: Client,
  entry: Address,
  settings: ClientSettings,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const metadata = await client.admin.metadata(null);
  const { brokers, clusterId, controllerId } = metadata;
  findings.push(
    well(
      "cluster",
      `${clusterId ?? "without an id"}, ${plural(brokers.length, "broker")}, controller ${controllerId}`,
    ),
  );
  for (const broker of brokers) {
    findings.push(await advertisedFinding(broker.id, broker, entry, settings, clusterId));
  }
  if (controllerId < 0) {
    findings.push(
      amiss("fail", "controller", "there is none", {
        cause: "the metadata quorum has lost its majority",
        fix: "start the missing controllers; see mantou quorum show",
      }),
    );
  }
  findings.push(partitionFinding(partitionHealth(metadata.topics)));
  const clock = await clockCheck(client);
  if (clock !== null) findings.push(clock);
  for (const { id } of brokers) findings.push(...(await diskFindings(client, id)));
  return findings;
}

/** Tries an advertised address as a client would, and whether it is the broker that it should be. */
async function advertisedFinding(
  node: number,
  address: Address,
  entry: Address,
  settings: ClientSettings,
  clusterId: string | null,
): Promise<Finding> {
  const where = `broker ${node} = ${address.host}:${address.port}`;
  const advice = advertisedAdvice(node, address.host, entry.host);
  const startedMs = performance.now();
  let connection: Connection | null = null;
  try {
    connection = await Connection.open({
      ...settings.client,
      host: address.host,
      port: address.port,
    });
    const ms = performance.now() - startedMs;
    const found = await clusterIdOf(connection);
    if (clusterId !== null && found !== null && found !== clusterId) {
      return amiss("fail", "advertised", where, {
        cause: `another cluster (${found}) answers there`,
        fix: advice.fix,
      });
    }
    return well("advertised", where, ms);
  } catch (error) {
    const { message } = explain(error, settings);
    return amiss("fail", "advertised", `${where}: not reachable from here (${message})`, advice);
  } finally {
    connection?.close();
  }
}

async function clusterIdOf(connection: Connection): Promise<string | null> {
  if (connection.versions.range(describeClusterApi) !== undefined) {
    const request = { includeClusterAuthorizedOperations: false };
    return (await connection.request(describeClusterApi, request)).clusterId;
  }
  const request = { topics: [], allowAutoTopicCreation: false };
  return (await connection.request(metadataApi, request)).clusterId;
}

function partitionFinding(health: ReturnType<typeof partitionHealth>): Finding {
  const { topics, partitions, leaderless, underReplicated } = health;
  const detail = `${plural(partitions, "partition")} of ${plural(topics, "topic")}, ${leaderless} without a leader, ${underReplicated} under-replicated`;
  if (leaderless === 0 && underReplicated === 0) return well("partitions", detail);
  return amiss(leaderless > 0 ? "fail" : "warn", "partitions", detail, {
    cause: "brokers that hold their replicas are down or behind, or could not open a log",
    fix: "start them and read their logs; mantou topic list shows which topics",
  });
}

/** The leader of the quorum tells its time as its own last fetch. */
async function clockCheck(client: Client): Promise<Finding | null> {
  const beforeMs = Date.now();
  try {
    const quorum = await describeQuorum(client);
    const leader = quorum.currentVoters.find(({ replicaId }) => replicaId === quorum.leaderId);
    const brokerMs = leader?.lastCaughtUpTimestamp ?? -1;
    return brokerMs <= 0 ? null : clockFinding(brokerMs, beforeMs, Date.now());
  } catch {
    // A broker without this API has no way to tell its time.
    return null;
  }
}

async function diskFindings(client: Client, node: number): Promise<Finding[]> {
  try {
    const directories = await client.admin.describeLogDirs(node);
    return directories
      .map((entry) =>
        entry.errorCode === 0
          ? diskFinding(node, entry.logDir, entry.totalBytes, entry.usableBytes, humaneBytes)
          : amiss("fail", "disk", `broker ${node}, ${entry.logDir}: error ${entry.errorCode}`, {
              cause: "the broker has taken this directory offline after a disk error",
              fix: "read its log, mend the disk, restart the broker",
            }),
      )
      .filter((finding) => finding !== null);
  } catch {
    // That it cannot be reached is said where its address was tried.
    return [];
  }
}
