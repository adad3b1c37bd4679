import type { Instance } from "../../src/index.ts";

/**
 * A bug, put into the objects of one life of the broker before it starts. Nothing in the broker
 * knows of it: what is patched are this one broker's own objects.
 */
export interface PlantedBug {
  readonly name: string;
  /** A seed that is known to catch it; the search begins there. */
  readonly seed: number;
  /** It is caught within so many seeds. */
  readonly seedsMax: number;
  readonly plant: (instance: Instance) => void;
}

type Method = (...parameters: never[]) => unknown;

/** Puts another function in the place of a method of one object. It is given the real one. */
export function replace<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  make: (real: Owner[Name]) => Owner[Name],
): void {
  const found = owner[name] as Owner[Name] & Method;
  const real = found.bind(owner) as unknown as Owner[Name];
  Object.defineProperty(owner, name, { value: make(real), configurable: true, writable: true });
}
