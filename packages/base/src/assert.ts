/** Thrown by {@link assert}: a defect in this process, never a fault of the outside world. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/**
 * States what must hold of our own data. A failed assertion is a bug, and the server stops on it.
 * Never use it for what comes from the wire, the disk or a person: answer those.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes an exhaustive switch: the compiler rejects the call when a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value ${String(value)}`);
}
