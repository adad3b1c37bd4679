const LOOK_AGAIN_MS = 50;
const WAIT_MS_MAX = 60_000;

/** Waits until it is so; rejects, with what `state` says, when it takes too long. */
export async function waitFor(
  isSo: () => boolean | Promise<boolean>,
  state: () => string,
  timeoutMs = WAIT_MS_MAX,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms:\n${state()}`);
    await Bun.sleep(LOOK_AGAIN_MS);
  }
}
