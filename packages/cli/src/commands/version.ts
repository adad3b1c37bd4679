import type { Answer } from "../answer.ts";
import type { Run } from "../command.ts";
import { COMMIT, VERSION } from "../build-info.ts";

/** Versions of everything that a fault report should name. */
export async function versionAnswer(): Promise<Answer> {
  const addon = await addonText();
  const data = {
    version: VERSION,
    commit: COMMIT,
    bun: Bun.version,
    addon,
    platform: `${process.platform}-${process.arch}`,
  };
  const { version, commit, bun, platform } = data;
  const line = `mantou ${version} (commit ${commit}, bun ${bun}, addon ${addon ?? "none"}, ${platform})`;
  return { data, view: [line] };
}

async function addonText(): Promise<string | null> {
  try {
    const { addonVersion } = await import("@mantou/io");
    return addonVersion();
  } catch {
    return null;
  }
}

export const run: Run = () => versionAnswer();
