/** How the workers of a run are kept apart: processes that join a coordinator over tcp, or those of `lockstep train`. */
export const ISOLATIONS = ["fleet", "process", "thread"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

interface FaultKindInfo {
  readonly isolations: readonly Isolation[];
  /** How often it comes, beside the others. */
  readonly weight: number;
}

const everywhere = (weight: number): FaultKindInfo => ({ isolations: ISOLATIONS, weight });
const byProcesses = (weight: number): FaultKindInfo => ({ isolations: ["fleet", "process"], weight });
const inFleets = (weight: number): FaultKindInfo => ({ isolations: ["fleet"], weight });

/** Everything that is done to a run. */
export const FAULT_KINDS = {
  "worker-kill": everywhere(4),
  "worker-throw": { isolations: ["thread"], weight: 2 },
  "worker-drain": inFleets(2),
  "worker-freeze": everywhere(4),
  "workers-gone": byProcesses(1),
  "coordinator-kill": everywhere(2),
  "coordinator-kill-in-checkpoint": everywhere(2),
  "coordinator-terminate": everywhere(1),
  "coordinator-freeze": everywhere(2),
  "checkpoint-truncated": everywhere(1),
  "checkpoint-garbled": everywhere(1),
  "checkpoint-foreign": everywhere(1),
  "cut-by-reset": inFleets(1),
  "cut-by-end": inFleets(1),
  "cut-in-message": inFleets(2),
  "flipped-bytes": inFleets(2),
  "black-hole": inFleets(2),
  delay: inFleets(1),
  "messages-astray": inFleets(2),
  noise: inFleets(1),
  "rogue-nan": inFleets(1),
  "rogue-shape": inFleets(1),
  "rogue-duplicate": inFleets(1),
  "rogue-oversize": inFleets(1),
  "rogue-frames": inFleets(1),
} as const satisfies Record<string, FaultKindInfo>;

export type FaultKind = keyof typeof FAULT_KINDS;

/** The kinds that a run of this isolation can meet, in the table's order. */
export function faultKindsOf(isolation: Isolation): FaultKind[] {
  const entries = Object.entries(FAULT_KINDS) as [FaultKind, FaultKindInfo][];
  return entries.filter(([, { isolations }]) => isolations.includes(isolation)).map(([kind]) => kind);
}
