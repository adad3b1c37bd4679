import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What Debian 11 has; newer systems keep the versions of older ones. */
const OLDEST = [2, 31];

const addon = join(import.meta.dir, "..", "..", "native", "mantou.node");
const isGlibc =
  process.platform === "linux" &&
  (existsSync("/lib64/ld-linux-x86-64.so.2") || existsSync("/lib/ld-linux-aarch64.so.1"));

const VERNEED_SECTION = 0x6ffffffe;

/** Symbol versions that a 64-bit little-endian ELF file asks the loader for. */
function neededVersions(path: string): string[] {
  const file = readFileSync(path);
  expect(file.toString("latin1", 1, 4)).toBe("ELF");
  const sectionsAt = Number(file.readBigUInt64LE(0x28));
  const sectionBytes = file.readUInt16LE(0x3a);
  const section = (index: number) => {
    const at = sectionsAt + index * sectionBytes;
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      link: file.readUInt32LE(at + 40),
      entries: file.readUInt32LE(at + 44),
    };
  };
  const count = file.readUInt16LE(0x3c);
  const needs = Array.from({ length: count }, (_, index) => section(index));
  const versions: string[] = [];
  for (const { offset, link, entries } of needs.filter(({ type }) => type === VERNEED_SECTION)) {
    const strings = section(link).offset;
    let at = offset;
    for (let entry = 0; entry < entries; entry += 1) {
      let auxiliary = at + file.readUInt32LE(at + 8);
      for (let left = file.readUInt16LE(at + 2); left > 0; left -= 1) {
        const name = strings + file.readUInt32LE(auxiliary + 8);
        versions.push(file.toString("latin1", name, file.indexOf(0, name)));
        auxiliary += file.readUInt32LE(auxiliary + 12);
      }
      at += file.readUInt32LE(at + 12);
    }
  }
  return versions;
}

/** Those that a glibc of that age does not have. */
function tooNew(versions: readonly string[]): string[] {
  const [major = 0, minor = 0] = OLDEST;
  return versions.filter((version) => {
    const [, a, b] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? [];
    return a !== undefined && (Number(a) > major || Number(b) > minor);
  });
}

// Skipped where there is no glibc at all: the addon is linked against something else there.
test.skipIf(!isGlibc)("the addon asks for nothing that Debian 11 does not have", () => {
  const versions = neededVersions(addon);
  expect(versions).toContain(process.arch === "arm64" ? "GLIBC_2.17" : "GLIBC_2.2.5");
  expect(tooNew(versions)).toEqual([]);
});

// Bun is the rest of the binary; what it asks for is older still.
test.skipIf(!isGlibc)("nor does Bun", () => {
  expect(tooNew(neededVersions(process.execPath))).toEqual([]);
});

test("what is too new is found", () => {
  expect(tooNew(["GLIBC_2.2.5", "GLIBC_2.31", "GLIBC_2.32", "GCC_4.2.0", "GLIBC_3.0"])).toEqual([
    "GLIBC_2.32",
    "GLIBC_3.0",
  ]);
});
