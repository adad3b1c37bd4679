import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

/** Bun cannot receive datagrams on a Unix socket; Python can. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

const skipped = Bun.which("python3") === null ? " (skipped: no python3)" : "";

/** What systemd would be told, line by line. */
class Manager {
  private text = "";
  private readonly reader;

  constructor(private readonly child: Bun.Subprocess<"ignore", "pipe", "ignore">) {
    this.reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async listen(path: string): Promise<Manager> {
    const child = Bun.spawn(["python3", "-c", RECEIVER, path], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 120_000,
      killSignal: "SIGKILL",
    });
    const manager = new Manager(child);
    await manager.told(/^bound$/m);
    return manager;
  }

  /** Waits until it was told; gives everything so far. */
  async told(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      const { value, done } = await this.reader.read();
      if (done) throw new Error(`it ended after:\n${this.text}`);
      this.text += value;
    }
    return this.text;
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}

describe.skipIf(skipped !== "")(`a service manager${skipped}`, () => {
  test("is told of the start, the watchdog and the stop", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "notify");
    using manager = await Manager.listen(path);
    await using broker = await BrokerProcess.start({
      dataDirectory: join(folder.path, "data"),
      environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" },
    });
    const before = await manager.told(/^READY=1/m);
    expect(before).toMatch(/STATUS=Opening/);
    await manager.told(/^READY=1.*\n(.*\n)*WATCHDOG=1/m);
    expect(await broker.stop()).toBe(0);
    await manager.told(/^STOPPING=1/m);
  });

  test("that is not there is a line in the log, and no more", async () => {
    using folder = temporaryFolder();
    await using broker = await BrokerProcess.start({
      dataDirectory: join(folder.path, "data"),
      environment: { NOTIFY_SOCKET: join(folder.path, "nobody") },
    });
    expect(broker.log).toContain("service_manager_not_told");
    expect(await broker.stop()).toBe(0);
  });
});
