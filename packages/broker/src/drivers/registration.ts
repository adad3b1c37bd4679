import type { BrokerConfig } from "@mantou/catalog";
import type { Network } from "@mantou/io";
import { IoError } from "@mantou/io";
import { ErrorCode } from "@mantou/protocol";
import type { Ambient } from "../ambient.ts";
import type { ControllerPort, Endpoint } from "../handler.ts";
import { newUuid } from "./metadata.ts";

/** A listener's address as clients are told it, and as it is bound. */
export interface BoundEndpoint extends Endpoint {
  readonly boundHost: string;
  readonly boundPort: number;
}

/** Binds every listener and settles which addresses clients are told. */
export function bindListeners(
  network: Network,
  { listeners, advertisedListeners, socketRequestMaxBytes }: BrokerConfig,
  hostName: string,
): BoundEndpoint[] {
  return listeners.map(({ name, host, port }, listenerId) => {
    const frameBytesMax = socketRequestMaxBytes;
    const address = network.listen({ host, port, listenerId, frameBytesMax });
    const advertised = advertisedListeners.find((other) => other.name === name);
    const isAny = host === "" || host === "0.0.0.0" || host === "::";
    return {
      listenerName: name,
      host: advertised?.host ?? (isAny ? hostName : host),
      port: advertised?.port ?? address.port,
      boundHost: host === "" ? "*" : host,
      boundPort: address.port,
    };
  });
}

/**
 * Announces this process to the cluster and has it let in.
 *
 * @param registered told the broker's epoch as soon as there is one.
 */
export async function register(
  controller: ControllerPort,
  { nodeId, rack }: BrokerConfig,
  endpoints: readonly Endpoint[],
  ambient: Ambient,
  registered: (brokerEpoch: number) => void,
): Promise<void> {
  const announced = await controller.decide({
    kind: "registerBroker",
    nodeId,
    incarnationId: newUuid(ambient),
    rack,
    endpoints: endpoints.map(({ listenerName, host, port }) => ({
      listener: listenerName,
      host,
      port,
      securityProtocol: "PLAINTEXT",
    })),
    earlierIsAlive: false,
  });
  const { brokerEpoch } = announced;
  registered(brokerEpoch);
  const admitted = await controller.decide({
    kind: "fenceBroker",
    nodeId,
    brokerEpoch,
    fenced: false,
  });
  const refused = [announced, admitted].find((reply) => reply.errorCode !== ErrorCode.NONE);
  if (refused === undefined) return;
  throw new IoError("FORMAT", `the controller refuses this broker: ${refused.errorMessage}`);
}
