import type { BrokerConfig } from "@mantou/catalog";
import type { Logger } from "@mantou/broker";
import type { BuildInfo } from "./server.ts";
import { startServer } from "./server.ts";
import { ServiceManager } from "./service-manager.ts";
import { StopSignals } from "./stop-signals.ts";
import { endOnStrayErrors } from "./stray-errors.ts";

/**
 * A broker from its start to its orderly stop, as a process of its own. Rejects with IoError for
 * a person where it cannot start, and with another error where it could not stop in order.
 */
export async function runServer(
  config: BrokerConfig,
  logger: Logger,
  build: BuildInfo,
): Promise<void> {
  endOnStrayErrors(logger);
  const signals = new StopSignals(logger);
  const manager = new ServiceManager(process.env, logger);
  manager.starting();
  const server = await startServer(config, logger, build);
  signals.serving();
  manager.ready(`Serving ${server.broker.partitionCount} partitions`);
  await signals.first;
  manager.stopping();
  try {
    await server.stop();
    logger.info("stopped");
  } catch (error) {
    logger.error("stop_failed", { reason: String(error) });
    throw new Error(`the broker did not stop in order: ${String(error)}`, { cause: error });
  } finally {
    manager.quiet();
  }
}
