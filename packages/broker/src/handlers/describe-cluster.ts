import type { DescribeClusterRequest, DescribeClusterResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED } from "./authorized-operations.ts";
import { advertisedController, reachOn, reachableBrokers } from "./reachable-brokers.ts";

const EndpointType = { BROKERS: 1, CONTROLLERS: 2 } as const;

export function handleDescribeCluster(
  broker: BrokerContext,
  call: Call,
  request: DescribeClusterRequest,
): Outcome<DescribeClusterResponse> {
  const { endpointType } = request;
  if (endpointType !== EndpointType.BROKERS) return answer(refused(endpointType));
  const { image } = broker;
  const listenerName = broker.listenerName(call.listenerId);
  const reachable = reachableBrokers(image, listenerName);
  const fenced = [...image.brokersById.values()].flatMap((each) => {
    const reach = each.fenced && request.includeFencedBrokers ? reachOn(each, listenerName) : null;
    return reach === null ? [] : [reach];
  });
  return answer({
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    endpointType,
    clusterId: broker.clusterId,
    controllerId: advertisedController(reachable, broker.nodeId),
    brokers: [...reachable, ...fenced].map(({ broker: each, host, port }) => ({
      brokerId: each.nodeId,
      host,
      port,
      rack: each.rack,
      isFenced: each.fenced,
    })),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_NOT_ASKED,
  });
}

/** This is a broker's listener: it has no addresses of controllers to give. */
function refused(endpointType: number): DescribeClusterResponse {
  const isKnown = endpointType === EndpointType.CONTROLLERS;
  return {
    throttleTimeMs: 0,
    errorCode: isKnown ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
    errorMessage: isKnown
      ? "this is a listener for clients of brokers, not of controllers"
      : `endpoint type ${endpointType} is unknown`,
    endpointType: EndpointType.BROKERS,
    clusterId: "",
    controllerId: -1,
    brokers: [],
    clusterAuthorizedOperations: OPERATIONS_NOT_ASKED,
  };
}
