import type { BrokerNode, Client } from "@mantou/client";

export interface Nodes {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly nodes: readonly BrokerNode[];
}

/** The brokers, also from one that is too old for DescribeCluster (Kafka before 2.8). */
export async function describeNodes(client: Client): Promise<Nodes> {
  try {
    const { clusterId, controllerId, brokers } = await client.admin.describeCluster();
    return { clusterId, controllerId, nodes: [...brokers].sort((a, b) => a.id - b.id) };
  } catch (error) {
    if ((error as { code?: unknown }).code !== "UNSUPPORTED") throw error;
    const { clusterId, controllerId, brokers } = await client.admin.metadata([]);
    return { clusterId, controllerId, nodes: [...brokers].sort((a, b) => a.id - b.id) };
  }
}
