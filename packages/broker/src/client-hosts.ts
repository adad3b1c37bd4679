import type { Network } from "@mantou/io";

/** Addresses of clients in Kafka's form, by connection, so that the engine is asked once for each. */
export class ClientHosts {
  private readonly generations: number[] = [];
  private readonly hosts: string[] = [];

  constructor(private readonly network: Pick<Network, "describe">) {}

  /** A slash and the address; empty where the connection is gone already. */
  of(connection: number, generation: number): string {
    if (this.generations[connection] === generation) return this.hosts[connection] as string;
    const described = this.network.describe(connection, generation);
    if (described === null) return "";
    const host = `/${described.remoteHost}`;
    this.generations[connection] = generation;
    this.hosts[connection] = host;
    return host;
  }
}
