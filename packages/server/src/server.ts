import type { BrokerConfig } from "@mantou/catalog";
import type { Logger } from "@mantou/broker";
import { Broker } from "@mantou/broker";
import { openNativeIo } from "@mantou/io";
import { systemAmbient } from "./ambient.ts";

export interface Server {
  readonly broker: Broker;
  /** Stops accepting, finishes what is in flight, marks the data directory clean. */
  stop(): Promise<void>;
}

/** Settings reach further than the engine's unsigned 32-bit numbers, which is as good as ever. */
const atMost32Bits = (value: number): number => Math.min(value, 0xffff_ffff);

/** Puts a broker together on the native engine and starts it. Throws IoError for a person. */
export async function startServer(config: BrokerConfig, logger: Logger): Promise<Server> {
  const startedMs = performance.now();
  const io = openNativeIo({
    arenaBytes: config.arenaBytes,
    network: {
      connectionsMax: config.maxConnections,
      connectionsPerIpMax: config.maxConnectionsPerIp,
      idleTimeoutMs: atMost32Bits(config.connectionsMaxIdleMs),
      connectionQuotaBytes: atMost32Bits(config.connectionQuotaBytes),
      outputQuotaBytes: atMost32Bits(config.outputQuotaBytes),
    },
    report: (text) => logger.error("engine", { reason: text }),
  });
  const broker = new Broker(io, config, systemAmbient(logger));
  await broker.start();
  // The engine's threads do not keep the process alive; this does, until `stop`.
  const alive = setInterval(() => {}, 0x3fff_ffff);
  for (const endpoint of broker.endpoints()) {
    logger.info("listening", {
      listener: endpoint.listenerName,
      address: `${endpoint.host}:${endpoint.port}`,
    });
  }
  warnOfOpenDoors(config, logger);
  logger.info("started", {
    nodeId: config.nodeId,
    clusterId: broker.clusterId,
    partitions: broker.partitionCount,
    ms: Math.round(performance.now() - startedMs),
  });
  return {
    broker,
    stop: async () => {
      await broker.stop();
      clearInterval(alive);
    },
  };
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** There is no authentication yet: whoever reaches a listener may read and delete everything. */
function warnOfOpenDoors(config: BrokerConfig, logger: Logger): void {
  for (const { name, host, port } of config.listeners) {
    if (LOOPBACK.test(host)) continue;
    logger.warn("listening_wide", {
      listener: name,
      address: `${host === "" ? "*" : host}:${port}`,
      why: "anybody who reaches this address may read, write and delete everything",
      todo: "bind to loopback or to a network that you trust",
    });
  }
}
