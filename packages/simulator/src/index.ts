export type { SimulationOptions, SimulationResult } from "./simulation.ts";
export { STEPS_DEFAULT, simulate } from "./simulation.ts";
export type { Instance } from "./machine.ts";
