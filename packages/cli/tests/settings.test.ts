import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../src/environment.ts";
import { runCommandLine } from "../src/run.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mantou-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, away from the real environment. */
async function run(line: string, variables: Record<string, string> = {}): Promise<Ran> {
  const decoder = new TextDecoder();
  const texts = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({
    isTerminal: false,
    columns: 80,
    write: (chunk: string | Uint8Array) => {
      texts[name] += typeof chunk === "string" ? chunk : decoder.decode(chunk);
    },
  });
  const environment: Environment = {
    variables: { MANTOU_PROFILES: join(folder, "profiles.yaml"), ...variables },
    workingDirectory: folder,
    stdin: { isTerminal: false, stream: () => new ReadableStream({ start: (c) => c.close() }) },
    stdout: sink("stdout"),
    stderr: sink("stderr"),
  };
  const status = await runCommandLine(line.split(" "), environment);
  return { status, ...texts };
}

const REFUSED = "127.0.0.1:1";

describe("the envelope", () => {
  test("is one object, also where the command line is wrong", async () => {
    for (const line of ["topic lst -o json", "topic list --nope -ojson", "topic show -o json"]) {
      const { status, stdout, stderr } = await run(line);
      expect(status).toBe(2);
      expect(stderr).toBe("");
      const { v, ok, error, warnings } = JSON.parse(stdout);
      expect([v, ok, error.code, warnings]).toEqual([1, false, "USAGE", []]);
    }
  });

  test("names the cause where nobody listens", async () => {
    const json = await run(`topic list -b ${REFUSED} -o json`);
    expect(json.status).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      v: 1,
      command: "topic list",
      ok: false,
      error: { code: "REFUSED" },
    });
    const text = await run(`topic list -b ${REFUSED}`);
    expect(text.stdout).toBe("");
    expect(text.stderr).toContain("nothing listens there");
    expect(text.stderr).toContain("mantou start");
    const yaml = await run(`topic list -b ${REFUSED} -o yaml`);
    expect(Bun.YAML.parse(yaml.stdout)).toMatchObject({ ok: false });
  });

  test("formats are checked with the nearest name", async () => {
    expect((await run("topic list -o jsn")).stderr).toContain("did you mean json");
    expect((await run("consume t -o table")).status).toBe(2);
  });

  test("help, version and the tree need no broker", async () => {
    expect((await run("help topic create")).stdout).toContain("--partitions COUNT");
    expect((await run("topic create --help")).stdout).toContain("mantou topic create NAME...");
    expect((await run("--version")).stdout).toMatch(
      /^mantou \d+\.\d+\.\d+ \(commit .*, bun .*, addon /,
    );
    const tree = JSON.parse((await run("--help-json")).stdout);
    expect(tree.ok).toBe(true);
    expect(tree.data.commands.map((command: { name: string }) => command.name)).toContain("doctor");
    expect((await run("help propertees")).status).toBe(2);
  });
});

describe("profiles", () => {
  const bootstrap = async (line: string, variables: Record<string, string> = {}) => {
    const { stderr } = await run(line, variables);
    return /127\.0\.0\.1:\d+/.exec(stderr)?.[0] ?? stderr;
  };

  test("flag over environment over project over profile in use", async () => {
    expect((await run("profile set dev -b 127.0.0.1:2 -X acks=all")).status).toBe(0);
    expect((await run("profile set other -b 127.0.0.1:3")).status).toBe(0);
    expect(await bootstrap("topic list")).toBe("127.0.0.1:2");
    expect((await run("profile use other")).status).toBe(0);
    expect(await bootstrap("topic list")).toBe("127.0.0.1:3");
    expect(await bootstrap("topic list", { MANTOU_PROFILE: "dev" })).toBe("127.0.0.1:2");
    writeFileSync(join(folder, ".mantou.yaml"), "bootstrap: 127.0.0.1:4\n");
    expect(await bootstrap("topic list")).toBe("127.0.0.1:4");
    expect(await bootstrap("topic list --profile dev")).toBe("127.0.0.1:2");
    expect(await bootstrap("topic list", { MANTOU_BOOTSTRAP: "127.0.0.1:5" })).toBe("127.0.0.1:5");
    expect(await bootstrap("topic list -b 127.0.0.1:6", { MANTOU_BOOTSTRAP: "x" })).toBe(
      "127.0.0.1:6",
    );
    const list = JSON.parse((await run("profile list -o json")).stdout);
    expect(list.data.map((row: { name: string }) => row.name)).toEqual(["dev", "other"]);
  });

  test("a synonym in a profile names the brokers too", async () => {
    const set = await run(`profile set other -X metadata.broker.list=${REFUSED}`);
    expect([set.status, set.stderr]).toEqual([0, expect.anything()]);
    const { stdout } = await run("topic list --profile other -o json");
    expect(JSON.parse(stdout).error.message).toContain(REFUSED);
  });

  test("a misspelt one is named", async () => {
    await run("profile set staging -b 127.0.0.1:2");
    expect((await run("topic list --profile stagin")).stderr).toContain("did you mean staging?");
    expect((await run("profile use nope")).status).toBe(2);
    expect((await run("profile set x -X ackz=1")).stderr).toContain("acks");
    expect((await run("profile set x -X sasl.username=u")).stderr).toContain("SASL");
  });

  test("come from client.properties and rpk.yaml", async () => {
    const properties = join(folder, "client.properties");
    writeFileSync(
      properties,
      "# ours\nbootstrap.servers = 127.0.0.1:7,\\\n  127.0.0.1:8\nacks=1\nkey.serializer=x\n",
    );
    const first = JSON.parse(
      (await run(`profile import ${properties} --name prod -o json`)).stdout,
    );
    expect(first.data).toMatchObject([
      { name: "prod", bootstrap: "127.0.0.1:7,127.0.0.1:8", ignored: ["key.serializer"] },
    ]);
    const rpk = join(folder, "rpk.yaml");
    writeFileSync(
      rpk,
      "version: 6\ncurrent_profile: cloud\nprofiles:\n  - name: cloud\n    kafka_api:\n      brokers: [127.0.0.1:9]\n      tls: {insecure_skip_verify: true}\n      sasl: {user: u}\n",
    );
    expect((await run(`profile import ${rpk}`)).stderr).toContain("sasl");
    const list = JSON.parse((await run("profile list -o json")).stdout).data;
    expect(list.find((row: { name: string }) => row.name === "cloud")).toMatchObject({
      bootstrap: "127.0.0.1:9",
      properties: { "security.protocol": "SSL", "enable.ssl.certificate.verification": "false" },
    });
  });
});

describe("a broker's settings", () => {
  test("a file is checked with every fault and the nearest names", async () => {
    const file = join(folder, "mantou.toml");
    writeFileSync(file, 'num.partition = 3\n[log]\nretention.ms = "soon"\n');
    const { status, stdout } = await run(`config check ${file} -o json`);
    expect(status).toBe(1);
    const { ok, data } = JSON.parse(stdout);
    expect(ok).toBe(false);
    expect(data.faults.length).toBe(2);
    expect(data.faults.join("\n")).toContain("num.partitions");
    writeFileSync(file, "num.partitions = 3\n");
    expect((await run(`config check ${file}`)).status).toBe(0);
    expect((await run(`config check ${file}x`)).stderr).toContain("no such file");
  });

  test("dump tells value, default and source", async () => {
    const file = join(folder, "mantou.toml");
    writeFileSync(file, "num.partitions = 3\n");
    const variables = { MANTOU_MAX_CONNECTIONS: "77", MANTOU_PROFILE: "" };
    const line = `config dump --config ${file} --set fetch.max.bytes=1000000 --changed -o json`;
    const { data } = JSON.parse((await run(line, variables)).stdout);
    const rows = data.map((row: { name: string; value: string; source: string }) => [
      row.name,
      row.value,
      row.source,
    ]);
    expect(rows).toEqual([
      ["fetch.max.bytes", "1000000", "flag"],
      ["max.connections", "77", "environment"],
      ["num.partitions", "3", "file"],
    ]);
    const all = JSON.parse((await run("config dump -o json")).stdout).data;
    expect(all.every((row: { source: string }) => row.source === "default")).toBe(true);
  });
});

describe("completion", () => {
  const words = async (line: string): Promise<string[]> => {
    const { stdout } = await run(`__complete -- ${line}`, { MANTOU_BOOTSTRAP: REFUSED });
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((row) => row.split("\t")[0] ?? "");
  };

  test("knows words, flags and their values", async () => {
    expect(await words("to")).toEqual(["topic"]);
    expect(await words("topic ")).toContain("create");
    expect(await words("topic create x --part")).toEqual(["--partitions"]);
    expect(await words("produce t -z ")).toEqual(["none", "gzip", "snappy", "lz4", "zstd"]);
    expect(await words("config show b")).toEqual(["broker"]);
    expect(await words("completion ")).toEqual(["bash", "zsh", "fish"]);
    expect(await words("help topic a")).toEqual(["alter", "add-partitions"]);
  });

  test("is silent where the broker cannot be reached", async () => {
    expect(await words("topic show ")).toEqual([]);
    mkdirSync(join(folder, "x"));
  });

  test.skipIf(Bun.which("bash") === null)("takes no name for a command", async () => {
    const { stdout } = await run("completion bash");
    const names = ["plain", "two words", "$(echo RUN)", "`echo RUN`"];
    const script = `${stdout}
fake() { printf '%s\\tabout\\n' ${names.map((name) => `'${name}'`).join(" ")}; }
COMP_WORDS=(fake x) COMP_CWORD=1
_mantou
printf '%s\\n' "\${COMPREPLY[@]}"
eval "printf '<%s>' \${COMPREPLY[*]}"`;
    const shell = Bun.spawnSync(["bash", "-c", script], { stderr: "pipe" });
    const lines = shell.stdout.toString().split("\n");
    // Typed as they are offered, they are the names.
    expect(lines.at(-1)).toBe(names.map((name) => `<${name}>`).join(""));
    expect(lines.length).toBe(names.length + 1);
  });

  test("scripts are understood by their shells", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { stdout, status } = await run(`completion ${shell}`);
      expect(status).toBe(0);
      if (Bun.which(shell) === null) continue;
      const file = join(folder, `completion.${shell}`);
      writeFileSync(file, stdout);
      expect(Bun.spawnSync([shell, "-n", file]).exitCode).toBe(0);
    }
    expect((await run("completion bsh")).stderr).toContain("bash");
  });
});
