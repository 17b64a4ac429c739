import type { Welcome } from "../../src/shared/protocol/messages.ts";

/** A welcome to a run of eight images whose settings do not matter, but for the changes. */
export function welcomeOf(changes: Partial<Welcome> = {}): Welcome {
  return {
    ...{ type: "welcome", session: "c/1", name: "worker-1", runId: "run", seed: 1, augment: false, labelSmoothing: 0 },
    ...{ trainSamples: 8, validationSamples: 0, shardSize: 1 },
    ...changes,
  };
}
