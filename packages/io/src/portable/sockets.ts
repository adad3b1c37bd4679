/** What the portable engine needs of a socket. Bun's are such sockets. */
export interface PortableSocket<Data> {
  data: Data;
  readonly remoteAddress: string;
  readonly remotePort: number;
  setNoDelay(noDelay: boolean): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Returns how many bytes were taken; `drain` follows where some were not. Below 0: closed. */
  write(bytes: Uint8Array): number;
  /** Closes once everything that was taken is sent. */
  end(): unknown;
  /** Closes at once. */
  terminate(): unknown;
}

/** What a socket tells its owner. `close` comes once, whoever closed it. */
export interface SocketEvents<Data> {
  open(socket: PortableSocket<Data>): void;
  data(socket: PortableSocket<Data>, chunk: Uint8Array): void;
  drain(socket: PortableSocket<Data>): void;
  close(socket: PortableSocket<Data>, error?: Error): void;
  error(socket: PortableSocket<Data>, error: Error): void;
  connectError?(socket: PortableSocket<Data>, error: Error): void;
}

export interface SocketAddress<Data> {
  readonly hostname: string;
  readonly port: number;
  readonly socket: SocketEvents<Data>;
}

/** Where sockets come from. A simulator puts its own in the place of the system's. */
export interface Sockets {
  listen<Data>(address: SocketAddress<Data>): {
    readonly port: number;
    stop(closeActive: boolean): void;
  };
  /** Settles once the connection stands or has failed, which its events tell as well. */
  connect<Data>(address: SocketAddress<Data>): Promise<unknown>;
}

export const systemSockets: Sockets = {
  listen: (address) => Bun.listen(address),
  connect: (address) => Bun.connect(address),
};
