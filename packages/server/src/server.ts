import type { BrokerConfig } from "@mantou/catalog";
import { parseAdminAddress } from "@mantou/catalog";
import type { Logger } from "@mantou/broker";
import { Broker, METRICS_CONTENT_TYPE, exposeMetrics } from "@mantou/broker";
import { IoError, addonVersion, openNativeIo } from "@mantou/io";
import type { AdminListener } from "./admin-listener.ts";
import { ADMIN_ADDRESS, openAdminListener } from "./admin-listener.ts";
import { systemAmbient } from "./ambient.ts";
import { ProcessWatch } from "./process-watch.ts";

/** Who built this. */
export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
}

export interface Server {
  readonly broker: Broker;
  /** The admin listener's address as a URL, or null where there is none. */
  readonly adminUrl: string | null;
  /** Stops accepting, finishes what is in flight, marks the data directory clean. */
  stop(): Promise<void>;
}

/** Settings reach further than the engine's unsigned 32-bit numbers, which is as good as ever. */
const atMost32Bits = (value: number): number => Math.min(value, 0xffff_ffff);

/** Puts a broker together on the native engine and starts it. Throws IoError for a person. */
export async function startServer(
  config: BrokerConfig,
  logger: Logger,
  build: BuildInfo = FROM_SOURCE,
): Promise<Server> {
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
  const watch = new ProcessWatch({ ...build, addon: addonVersion() }, () =>
    broker.takeLongestTickMs(),
  );
  // Before the broker starts: whoever asks is told that it is on its way.
  const admin = openAdmin(config, logger, broker, watch);
  try {
    await broker.start();
  } catch (error) {
    admin?.stop();
    throw error;
  }
  watch.start();
  // The engine's threads do not keep the process alive; this does, until `stop`.
  const alive = setInterval(() => {}, 0x3fff_ffff);
  for (const endpoint of broker.endpoints()) {
    logger.info("listening", {
      listener: endpoint.listenerName,
      address: `${endpoint.boundHost}:${endpoint.boundPort}`,
      advertised: `${endpoint.host}:${endpoint.port}`,
    });
  }
  if (admin !== null) logger.info("admin", { url: admin.url });
  warnOfOpenDoors(config, logger);
  logger.info("started", {
    nodeId: config.nodeId,
    clusterId: broker.clusterId,
    partitions: broker.partitionCount,
    ms: Math.round(performance.now() - startedMs),
  });
  return {
    broker,
    adminUrl: admin?.url ?? null,
    stop: async () => {
      try {
        await broker.stop();
      } finally {
        watch.stop();
        // Last, so that whoever asks is told until the end that the broker is stopping.
        admin?.stop();
        clearInterval(alive);
      }
    },
  };
}

const FROM_SOURCE: BuildInfo = { version: "0.1.0", commit: "source" };

/** An address that was asked for must be had; the usual one may be another broker's. */
function openAdmin(
  config: BrokerConfig,
  logger: Logger,
  broker: Broker,
  watch: ProcessWatch,
): AdminListener | null {
  const { adminListen } = config;
  const asked = adminListen === null ? ADMIN_ADDRESS : parseAdminAddress(adminListen);
  if (asked === null) return null;
  try {
    return openAdminListener(asked, {
      unreadiness: () => broker.unreadiness,
      metrics: async () =>
        exposeMetrics({ broker: await broker.figures(), process: watch.figures() }),
      metricsContentType: METRICS_CONTENT_TYPE,
    });
  } catch (error) {
    if (adminListen !== null || !(error instanceof IoError)) throw error;
    logger.warn("no_admin_listener", { reason: error.message });
    return null;
  }
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
  const admin = config.adminListen === null ? null : parseAdminAddress(config.adminListen);
  if (admin === null || LOOPBACK.test(admin.host)) return;
  logger.warn("admin_listening_wide", {
    address: `${admin.host === "" ? "*" : admin.host}:${admin.port}`,
    why: "anybody who reaches this address sees the broker's metrics, names of topics among them",
    todo: "bind to loopback or to a network that you trust",
  });
}
