import { existsSync } from "node:fs";
import {
  checkpointsIn,
  dropForeign,
  garbleNewest,
  temporariesIn,
  truncateNewest,
  untilCheckpointIsWritten,
} from "./damage-checkpoints.ts";
import { Draws } from "./draws.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { Leader } from "./leader.ts";
import type { Network } from "./network.ts";
import { sendDuplicates, sendFrames, sendNan, sendNoise, sendOversize, sendWrongShapes } from "./rogue-visits.ts";
import type { PlannedFault } from "./schedule.ts";
import { type Deed, seconds, type Victims } from "./victims.ts";
import type { Waits } from "./waits.ts";

/** A run under way, as far as it can be disturbed. */
export interface Arena {
  readonly leader: Leader;
  readonly victims: Victims;
  readonly waits: Waits;
  /** The folder with the run's checkpoints, which may not be there yet. */
  readonly checkpoints: string;
  readonly totalSteps: number;
  /** Between coordinator and workers; undefined where they are one command. */
  readonly network: Network | undefined;
}

type Fault = (arena: Arena, draws: Draws) => Promise<Deed>;

/** Checkpoints are written many times a minute. */
const CHECKPOINT_WAIT_MS = 5_000;

/** Does one thing to a run. Settles once it is over. @returns undefined when it could not be done */
export function carryOut({ kind, seed }: PlannedFault, arena: Arena): Promise<Deed> {
  return FAULTS[kind](arena, new Draws(seed));
}

const FAULTS = {
  "worker-kill": ({ victims }, draws) => victims.kill(draws),
  "worker-throw": async ({ victims }, draws) => victims.fail?.(draws),
  "worker-drain": async ({ victims }, draws) => victims.drain?.(draws),
  "worker-freeze": ({ victims }, draws) => victims.freeze(draws),
  "workers-gone": async ({ victims }, draws) => victims.killAll?.(draws),
  "coordinator-kill": async ({ leader }, draws) => {
    const pauseMs = restartPauseMs(draws);
    const isDone = await leader.bringDown("SIGKILL", pauseMs);
    return isDone ? `back after ${seconds(pauseMs)}` : undefined;
  },
  "coordinator-kill-in-checkpoint": async ({ leader, checkpoints }, draws) => {
    let left: string[] = [];
    const isDone = await leader.bringDown("SIGKILL", restartPauseMs(draws), {
      when: () => untilCheckpointIsWritten(checkpoints, CHECKPOINT_WAIT_MS),
      whileDown: async () => {
        left = temporariesIn(checkpoints);
      },
    });
    return isDone ? `it leaves ${left.join(", ") || "a finished file after all"}` : undefined;
  },
  "coordinator-terminate": async ({ leader }, draws) => {
    const pauseMs = restartPauseMs(draws);
    const isDone = await leader.bringDown("SIGTERM", pauseMs);
    return isDone ? `back after ${seconds(pauseMs)}` : undefined;
  },
  "coordinator-freeze": async ({ leader }, draws) => {
    const ms = draws.between(100, 5_000);
    return (await leader.freeze(ms)) ? `for ${seconds(ms)}` : undefined;
  },
  "checkpoint-truncated": ({ leader, checkpoints, totalSteps }, draws) =>
    whileDown(leader, draws, isDispensable(checkpoints, totalSteps), () =>
      truncateNewest(checkpoints, totalSteps, draws),
    ),
  "checkpoint-garbled": ({ leader, checkpoints, totalSteps }, draws) =>
    whileDown(leader, draws, isDispensable(checkpoints, totalSteps), () =>
      garbleNewest(checkpoints, totalSteps, draws),
    ),
  "checkpoint-foreign": ({ leader, checkpoints }, draws) =>
    whileDown(leader, draws, existsSync(checkpoints), () => dropForeign(checkpoints, draws)),
  "cut-by-reset": overNetwork((network, draws) => network.cut("reset", draws)),
  "cut-by-end": overNetwork((network, draws) => network.cut("end", draws)),
  "cut-in-message": overNetwork((network, draws) => network.cutInMessage(draws)),
  "flipped-bytes": overNetwork((network, draws) => network.flipBytes(draws)),
  "black-hole": overNetwork((network, draws) => network.blackHole(draws)),
  delay: overNetwork((network, draws) => network.delay(draws)),
  "messages-astray": overNetwork((network, draws) => network.leadAstray(draws)),
  noise: overNetwork(({ coordinatorPort }, draws) => sendNoise(coordinatorPort, draws)),
  "rogue-nan": overNetwork(({ coordinatorPort }, draws, waits) => sendNan(coordinatorPort, waits, draws)),
  "rogue-shape": overNetwork(({ coordinatorPort }, draws, waits) => sendWrongShapes(coordinatorPort, waits, draws)),
  "rogue-duplicate": overNetwork(({ coordinatorPort }, _, waits) => sendDuplicates(coordinatorPort, waits)),
  "rogue-oversize": overNetwork(({ coordinatorPort }, _, waits) => sendOversize(coordinatorPort, waits)),
  "rogue-frames": overNetwork(({ coordinatorPort }, draws, waits) => sendFrames(coordinatorPort, waits, draws)),
} as const satisfies Record<FaultKind, Fault>;

const restartPauseMs = (draws: Draws): number => draws.between(0, 2_000);

const isDispensable = (checkpoints: string, totalSteps: number): boolean =>
  checkpointsIn(checkpoints, totalSteps).length > 1;

/** Kills the leader, unless there is nothing to damage, and damages something before it comes back. */
async function whileDown(leader: Leader, draws: Draws, isPossible: boolean, damage: () => Deed): Promise<Deed> {
  if (!isPossible) return undefined;
  let deed: Deed;
  await leader.bringDown("SIGKILL", restartPauseMs(draws), {
    whileDown: async () => {
      deed = damage();
    },
  });
  return deed;
}

function overNetwork(act: (network: Network, draws: Draws, waits: Waits) => Promise<Deed>): Fault {
  return async ({ network, waits }, draws) => (network === undefined ? undefined : act(network, draws, waits));
}
