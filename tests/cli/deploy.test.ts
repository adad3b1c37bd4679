import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../processes/broker-process.ts";
import { runCli } from "./cli-process.ts";

const root = join(import.meta.dir, "..", "..");
const deploy = join(root, "deploy");
const dockerfile = readFileSync(join(deploy, "docker", "Dockerfile"), "utf8");
const unit = readFileSync(join(deploy, "systemd", "mantou.service"), "utf8");

/** The user of the image. */
const NON_ROOT = 65532;
/** What the image's base has: glibc and libgcc. */
const LIBRARIES = /^(linux-vdso|ld-linux-x86-64|ld-linux-aarch64|lib(c|m|dl|pthread|rt|gcc_s))\.so/;

describe("the systemd unit", () => {
  const analyze = Bun.which("systemd-analyze");
  const skipped = analyze === null ? " (skipped: no systemd-analyze)" : "";

  test.skipIf(analyze === null)(`has nothing that systemd does not know${skipped}`, () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "mantou.service");
    writeFileSync(path, unit.replaceAll("/usr/lib/mantou/mantou", process.execPath));
    const { exitCode, stderr } = Bun.spawnSync([analyze ?? "", "verify", "--man=no", path]);
    const about = stderr.toString().split("\n");
    expect([exitCode, about.filter((line) => line.includes("mantou"))]).toEqual([0, []]);
  });

  test("starts with flags and settings that there are", async () => {
    const line = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
    expect(line.split(" ").slice(1)).toEqual([
      "start",
      "--config",
      "/etc/mantou/mantou.toml",
      "--data-dir",
      "/var/lib/mantou",
    ]);
    const checked = await runCli("", ["config", "check", join(deploy, "mantou.toml")]);
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
  });
});

/** Values of an instruction, in order. */
const instructions = (name: string): string[] =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, "gm"))].map((match) => match[1] ?? "");

const cannotConfine = (): string => {
  if (process.getuid?.() !== 0) return "not root";
  for (const tool of ["unshare", "chroot", "mount", "ldd"]) {
    if (Bun.which(tool) === null) return `no ${tool}`;
  }
  const { exitCode } = Bun.spawnSync(["unshare", "--mount", "--pid", "--fork", "true"]);
  return exitCode === 0 ? "" : "no namespaces may be made here";
};

const why = cannotConfine();
const skipped = why === "" ? "" : ` (skipped: ${why})`;

describe.skipIf(why !== "")(`the image${skipped}`, () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let image = "";
  let dist = "";
  let libraries: string[] = [];

  beforeAll(() => {
    folder = temporaryFolder();
    dist = join(folder.path, "dist");
    const script = join(root, "scripts", "build-binary.ts");
    const build = [process.execPath, script, "--out", dist, "--no-native"];
    const { exitCode, stderr } = Bun.spawnSync(build, { cwd: root, stderr: "pipe" });
    if (exitCode !== 0) throw new Error(stderr.toString());
    image = join(folder.path, "image");
    libraries = neededLibraries([join(dist, "mantou"), join(dist, "mantou.node")]);
    for (const path of libraries) place(path, path);
    for (const copy of instructions("COPY")) {
      const [from = "", to = ""] = copy.split(" ").filter((word) => !word.startsWith("--"));
      if (from.startsWith("dist/")) place(join(dist, from.slice(5)), to);
    }
    for (const name of ["proc", "dev", "tmp", "var/lib/mantou"]) {
      mkdirSync(join(image, name), { recursive: true });
    }
    chownSync(join(image, "var/lib/mantou"), NON_ROOT, NON_ROOT);
  }, 120_000);

  afterAll(() => folder?.[Symbol.dispose]());

  function place(from: string, to: string): void {
    const path = join(image, to);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(from, path);
    chmodSync(path, 0o755);
  }

  function neededLibraries(files: readonly string[]): string[] {
    const found = new Set<string>();
    for (const file of files) {
      const { stdout } = Bun.spawnSync(["ldd", file]);
      for (const match of stdout.toString().matchAll(/(\/\S+\.so\S*) \(0x/g)) {
        found.add(match[1] ?? "");
      }
    }
    return [...found];
  }

  /** Runs what the image would, as process 1, on a read-only root with one volume. */
  function confined(environment: Record<string, string>, args: readonly string[]) {
    const script = [
      `mount --bind "${image}" "${image}"`,
      `mount -o remount,bind,ro "${image}"`,
      `mount --bind "${folder.path}/volume" "${image}/var/lib/mantou"`,
      `mount -t proc proc "${image}/proc"`,
      `cd "${image}"`,
      `exec chroot --userspec=${NON_ROOT}:${NON_ROOT} "${image}" /usr/lib/mantou/mantou "$@"`,
    ].join(" && ");
    mkdirSync(join(folder.path, "volume"), { recursive: true });
    chownSync(join(folder.path, "volume"), NON_ROOT, NON_ROOT);
    return Bun.spawn(
      ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", ...args],
      {
        env: { PATH: process.env["PATH"] ?? "", ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
  }

  test("needs no library that its base does not have", () => {
    expect(libraries.length).toBeGreaterThan(2);
    for (const path of libraries) expect(path.split("/").at(-1)).toMatch(LIBRARIES);
    expect(instructions("FROM").at(-1)).toContain("distroless/cc-");
  });

  test("serves, is healthy and stops, as process 1, without root and without writing to its root", async () => {
    const environment = Object.fromEntries(
      instructions("ENV").map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
    // Ports of its own: this image shares the network of the machine.
    environment["MANTOU_LISTENERS"] = "PLAINTEXT://127.0.0.1:0";
    environment["MANTOU_ADMIN_LISTEN"] = "127.0.0.1:0";
    const command = JSON.parse(instructions("CMD").at(-1) ?? "[]") as string[];
    expect(instructions("USER")).toEqual([`${NON_ROOT}:${NON_ROOT}`]);
    const broker = confined(environment, command);
    try {
      const reader = broker.stderr.pipeThrough(new TextDecoderStream()).getReader();
      let log = "";
      while (!/ started /.test(log)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`it ended:\n${log}`);
        log += value;
      }
      const address = /listening listener=\S+ address=(\S+)/.exec(log)?.[1] ?? "";
      const admin = /admin url=http:\/\/(\S+)/.exec(log)?.[1] ?? "";
      const [check = ""] = /\[.*\]$/m.exec(instructions("HEALTHCHECK")[0] ?? "") ?? [];
      const health = confined(
        { ...environment, MANTOU_ADMIN_LISTEN: admin },
        (JSON.parse(check) as string[]).slice(1),
      );
      expect([await health.exited, await new Response(health.stdout).text()]).toEqual([
        0,
        "ready\n",
      ]);
      expect((await runCli(address, ["topic", "create", "u"])).status).toBe(0);
      expect((await runCli(address, ["produce", "u"], { input: "a\n" })).status).toBe(0);
      expect(existsSync(join(folder.path, "volume", "meta.properties"))).toBe(true);
      // Process 1 of its namespace: the child of `unshare`.
      const children = `/proc/${broker.pid}/task/${broker.pid}/children`;
      const [first = ""] = readFileSync(children, "utf8").trim().split(" ");
      const status = readFileSync(`/proc/${first}/status`, "utf8");
      expect(status).toMatch(new RegExp(`^Uid:\\s+${NON_ROOT}\\s+${NON_ROOT}`, "m"));
      expect(status).toMatch(/^NSpid:.*\s1$/m);
      process.kill(Number(first), "SIGTERM");
      expect(await broker.exited).toBe(0);
    } finally {
      broker.kill("SIGKILL");
      await broker.exited;
    }
  }, 120_000);
});
