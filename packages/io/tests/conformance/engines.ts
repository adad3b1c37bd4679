import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { type Codecs, CompressionType, badPayload, inflatedTooLarge } from "@mantou/protocol";
import {
  type Io,
  type IoOptions,
  MemoryDisk,
  addonVersion,
  openNativeIo,
  openPortableIo,
} from "../../src/index.ts";

/** One machine: what an engine leaves on its disk is found by the next engine. */
export interface World {
  readonly dataDirectory: string;
  open(options?: IoOptions): Io;
  destroy(): void;
}

export interface Engine {
  readonly name: "portable" | "native";
  /** Why the engine cannot be tested here, or null. */
  readonly unavailable: string | null;
  world(): World;
}

/** Enough to inflate what these tests compress. */
export const gzipOnly: Codecs = {
  gzip: {
    compress: (bytes) => gzipSync(bytes),
    decompress(bytes, bytesMax) {
      try {
        return gunzipSync(bytes, { maxOutputLength: bytesMax });
      } catch (error) {
        if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
          throw inflatedTooLarge(CompressionType.GZIP, bytesMax);
        }
        throw badPayload(CompressionType.GZIP, String(error));
      }
    },
  },
};

/** Small enough that a test can fill it. */
const ARENA_BYTES = 16 * 1024 * 1024;

function portableWorld(): World {
  const disk = new MemoryDisk();
  return {
    dataDirectory: "/data",
    open: (options) =>
      openPortableIo({ arenaBytes: ARENA_BYTES, disk, codecs: gzipOnly, ...options }),
    destroy: () => {},
  };
}

function nativeWorld(): World {
  const root = mkdtempSync(join(tmpdir(), "mantou-io-"));
  return {
    dataDirectory: join(root, "data"),
    open: (options) => openNativeIo({ arenaBytes: ARENA_BYTES, report: () => {}, ...options }),
    destroy: () => rmSync(root, { recursive: true, force: true }),
  };
}

function nativeUnavailable(): string | null {
  try {
    addonVersion();
    return null;
  } catch (error) {
    // The first line: the runner repeats it for every test that is skipped.
    return String(error).split("\n", 1)[0] as string;
  }
}

export const engines: readonly Engine[] = [
  { name: "portable", unavailable: null, world: portableWorld },
  { name: "native", unavailable: nativeUnavailable(), world: nativeWorld },
];
