import { assert } from "@mantou/base";
import { PLAN_WORDS } from "../layout.ts";
import {
  type ConnectionInfo,
  IoError,
  type ListenOptions,
  type Network,
  type NetworkStats,
} from "../ports.ts";
import type { Table } from "../table.ts";
import type { Addon } from "./addon.ts";

/** `Network` of the reactor. */
export class NativeNetwork implements Network {
  constructor(
    private readonly addon: Addon,
    private readonly engine: number,
  ) {}

  listen(options: ListenOptions): { readonly host: string; readonly port: number } {
    const { host, port, listenerId, frameBytesMax } = options;
    try {
      return this.addon.listen(this.engine, { host, port, listenerId, frameBytesMax });
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      throw new IoError(code ?? "EIO", message);
    }
  }

  connect(host: string, port: number, connectId: number): void {
    this.addon.connect(this.engine, host, port, connectId);
  }

  submit(plan: Table, rows: number, bytes: Uint8Array): void {
    assert(plan.rowWords === PLAN_WORDS && rows <= plan.capacity, "plan table");
    this.addon.submit(this.engine, plan.words, rows, bytes);
  }

  describe(connection: number, generation: number): ConnectionInfo | null {
    return this.addon.describe(this.engine, connection, generation);
  }

  stopAccepting(): void {
    this.addon.stopAccepting(this.engine);
  }

  stats(): NetworkStats {
    return this.addon.networkStats(this.engine);
  }
}
