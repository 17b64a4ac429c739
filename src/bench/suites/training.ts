import { COMMAND_SCHEMAS, type TrainConfig } from "../../shared/config.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { type Labels, type Measurement, measurementsOf, type SuiteReport } from "../report.ts";
import { type Candidate, takeTurns } from "../rounds.ts";
import { steadyRate } from "../run-log.ts";
import { runTraining, type TrainingProcess } from "../training-process.ts";
import { BATCH_SIZES, inProcess } from "./step.ts";

const WORKERS = [1, 2] as const;
const MOST_ROUNDS = 3;

export type Isolation = TrainConfig["isolation"];

/** Every way in which `lockstep train` can keep its workers apart. */
export const ISOLATIONS: readonly Isolation[] = COMMAND_SCHEMAS.train.shape.isolation
  .unwrap()
  .options.filter((isolation) => isolation !== "auto");

/** Whole runs of `lockstep train`, once they run evenly, beside one in-process worker and other programs. */
export async function trainingSuite(bench: Bench): Promise<SuiteReport> {
  const measurements: Measurement[] = [];
  for (const batchSize of amountOf<readonly number[]>(bench, BATCH_SIZES, [256])) {
    bench.say(`training at batch ${batchSize}`);
    const alone = await inProcess(bench, batchSize);
    const labels: Labels[] = [{ batch: batchSize, trainer: "in-process", workers: 1 }];
    const candidates: Candidate[] = [alone];
    for (const isolation of ISOLATIONS) {
      for (const workers of WORKERS) {
        labels.push({ batch: batchSize, trainer: isolation, workers });
        candidates.push(trainingOf(bench, { batchSize, workers, isolation, quick: bench.quick }));
      }
    }
    for (const peer of bench.peers) {
      const candidate = peer.training(batchSize);
      if (candidate === undefined) continue;
      labels.push({ batch: batchSize, trainer: peer.name, workers: peer.processes });
      candidates.push(candidate);
    }
    // Processes warm up by themselves.
    await alone.measure();
    const figures = await takeTurns(candidates, roundsOf(bench, { most: MOST_ROUNDS, warmUps: 0 }));
    measurements.push(...measurementsOf(labels, figures, 0), ...absentPeers(bench, batchSize));
    await alone.dispose();
  }
  return {
    suite: "training",
    title: "whole runs in steady state, evaluation not counted",
    unit: "images/s",
    baseline: "in-process",
    notes: bench.peers.map(({ name, version, absent }) => `${name}: ${absent ?? `version ${version ?? "unknown"}`}.`),
    measurements,
  };
}

/** A row for each program that is not there, so that nobody looks for it in vain. */
function absentPeers({ peers }: Bench, batchSize: number): Measurement[] {
  return peers
    .filter(({ absent }) => absent !== undefined)
    .map(({ name, processes }) => ({ of: { batch: batchSize, trainer: name, workers: processes }, rounds: [] }));
}

export interface Fleet {
  readonly batchSize: number;
  readonly workers: number;
  readonly isolation: Isolation;
  readonly quick: boolean;
}

/** Images of an epoch: a multiple of every batch size. */
const IMAGES = 57_344;
const QUICK_IMAGES = 2_048;
/** As many as the recipe's. The first half of them is not counted: compilers are at work meanwhile. */
const EPOCHS = 10;
const QUICK_EPOCHS = 2;
/** Parts of an epoch after which a step is logged; the first of them is not counted. */
const LOGGED = 10;

/** Images a second of a `lockstep train` in its own process. */
export function trainingOf(command: TrainingProcess, { batchSize, workers, isolation, quick }: Fleet): Candidate {
  const images = quick ? QUICK_IMAGES : IMAGES;
  const options = {
    "--batch-size": batchSize,
    "--workers": workers,
    // All of them from the first step on.
    "--min-workers": workers,
    "--isolation": isolation,
    "--limit-train": images,
    "--epochs": quick ? QUICK_EPOCHS : EPOCHS,
    "--log-every": Math.max(1, Math.floor(images / batchSize / LOGGED)),
  };
  return { measure: async () => steadyRate((await runTraining(command, options)).log) };
}
