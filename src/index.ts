/**
 * lockstep as a library: train on this machine, with the options of the command line and its progress as events.
 *
 *     import { train } from "lockstep";
 *
 *     const run = await train({ epochs: 1, workers: 2 });
 *     for await (const event of run) if (event.type === "epoch") console.log(event.testAccuracy);
 *     const { weightsSha256 } = await run.result;
 */
import { EventStream } from "./event-stream.ts";
import type { Signal } from "./shared/errors.ts";
import { resolveConfig } from "./shared/config-resolve.ts";
import { withResumedRun } from "./shared/config-resumed.ts";
import type { TrainConfig } from "./shared/config.ts";
import type { TrainingEvent, TrainingResult } from "./shared/events.ts";
import { startSingleNode } from "./single-node.ts";

export { LockstepError } from "./shared/errors.ts";
export type { ErrorCode, Signal } from "./shared/errors.ts";
export type { TrainingEvent, TrainingResult } from "./shared/events.ts";

/** The options of `lockstep train` under their names in camel case; what is left out has the command's default. */
export type TrainOptions = Partial<Omit<TrainConfig, "json" | "quiet" | "logFormat" | "metricsPortExplicit">>;

/** A training that is under way. Iterate over it for its events; not doing so does not hold it up. */
export interface TrainingHandle extends AsyncIterable<TrainingEvent> {
  /** The run's folder. */
  readonly runDir: string;
  /** Where Prometheus reads the run's metrics. */
  readonly metricsUrl: string;
  /** Rejects with a LockstepError when the run fails. */
  readonly result: Promise<TrainingResult>;
  /** Finishes the step under way, saves a checkpoint, ends the run; `result` then has `interruptedBy`. */
  interrupt(signal?: Signal): void;
}

/**
 * Starts a training on this machine, with workers as threads, or as processes (`isolation`).
 *
 * @throws LockstepError `usage` for options that are not allowed, `refused` for data that cannot be used
 */
export async function train(options: TrainOptions = {}): Promise<TrainingHandle> {
  const events = new EventStream();
  const layers = withResumedRun("train", [{ values: options, nameOf: (key) => key }]);
  const run = await startSingleNode(resolveConfig("train", layers), (event) => events.push(event));
  run.result.then(
    () => events.end(),
    (error: unknown) => events.end({ error }),
  );
  return {
    runDir: run.runDir,
    metricsUrl: run.metricsUrl,
    result: run.result,
    interrupt: (signal = "SIGTERM") => run.interrupt(signal),
    [Symbol.asyncIterator]: () => events[Symbol.asyncIterator](),
  };
}
