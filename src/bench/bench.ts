import type { Dataset } from "../shared/data/dataset.ts";
import type { ChildProcesses } from "../workshop/child-processes.ts";
import type { EngineName } from "../worker/engines/engine.ts";
import type { Candidate, Rounds } from "./rounds.ts";

/** What every suite is given. */
export interface Bench {
  readonly rounds: number;
  /** Only show that everything runs. */
  readonly quick: boolean;
  /** Steps of the run that suite `memory` watches. */
  readonly soakSteps: number;
  /** What suite `engine` measures; the others are compared to the first. */
  readonly engines: readonly EngineName[];
  readonly dataset: Dataset;
  /** The folder of `dataset`, if it is not the one that comes along. */
  readonly data: string | undefined;
  /** The built command, `dist/cli.js`. */
  readonly cli: string;
  readonly children: ChildProcesses;
  /** For the folders of training runs; removed at the end. */
  readonly folder: string;
  /** Other programs that do the same work and take turns with ours. */
  readonly peers: readonly Peer[];
  /** A line about what is being done. */
  readonly say: (text: string) => void;
}

/** Another program that trains the same network. */
export interface Peer {
  /** "PyTorch, 1 thread" */
  readonly name: string;
  readonly version?: string;
  /** Why there are no figures of it: it is not installed. */
  readonly absent?: string;
  readonly processes: number;
  /** Forward and backward pass in images/s; undefined where it has none, or it would take too long. */
  readonly gradients: (images: number) => Candidate | undefined;
  /** Whole training steps in images/s, with the data in memory. */
  readonly training: (batchSize: number) => Candidate | undefined;
}

/** One round in a quick run; else as many as asked for, or as many as a long measurement deserves. */
export function roundsOf({ rounds, quick }: Bench, { most = Infinity, warmUps = 1 } = {}): Rounds {
  return { rounds: Math.min(rounds, most), warmUps: quick ? 0 : warmUps };
}

/** `amount` in a full run, the `quickly` one in a quick one. */
export function amountOf<Amount>({ quick }: Bench, amount: Amount, quickly: Amount): Amount {
  return quick ? quickly : amount;
}
