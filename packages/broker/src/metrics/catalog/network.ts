import type { MetricDefinition } from "./define.ts";
import { ofBroker } from "./define.ts";

export const networkMetrics: readonly MetricDefinition[] = [
  ofBroker(
    "gauge",
    "connections",
    "connections",
    "Connections that are open.",
    (b) => b.network.connections,
  ),
  ofBroker(
    "counter",
    "connections_accepted_total",
    "connections",
    "Connections that were accepted.",
    (b) => b.network.acceptedTotal,
  ),
  ofBroker(
    "counter",
    "connections_refused_total",
    "connections",
    "Connections that were closed at once: over a limit, or no descriptor was left.",
    (b) => b.network.refusedTotal,
  ),
  ofBroker(
    "counter",
    "received_bytes_total",
    "bytes",
    "Bytes received from clients.",
    (b) => b.network.receivedBytesTotal,
  ),
  ofBroker(
    "counter",
    "sent_bytes_total",
    "bytes",
    "Bytes sent to clients.",
    (b) => b.network.sentBytesTotal,
  ),
  ofBroker(
    "gauge",
    "arena_used_bytes",
    "bytes",
    "Memory that requests in flight take of the arena.",
    (b) => b.network.arenaBytesUsed,
  ),
  ofBroker(
    "gauge",
    "arena_size_bytes",
    "bytes",
    "Size of the arena (mantou.arena.bytes).",
    (b) => b.network.arenaBytesTotal,
  ),
  ofBroker(
    "counter",
    "arena_waits_total",
    "waits",
    "Times that a connection was not read because the arena was full.",
    (b) => b.network.memoryWaitsTotal,
  ),
  ofBroker(
    "gauge",
    "fetches_parked",
    "fetches",
    "Fetches that wait for records.",
    (b) => b.parkedFetches,
  ),
  ofBroker(
    "gauge",
    "fetch_sessions",
    "sessions",
    "Incremental fetch sessions that are kept.",
    (b) => b.fetchSessions,
  ),
  ofBroker(
    "gauge",
    "produces_waiting",
    "requests",
    "Produce requests that wait for a disk or for replicas.",
    (b) => b.waitingProduces,
  ),
];
