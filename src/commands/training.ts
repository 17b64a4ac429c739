import { setImmediate } from "node:timers/promises";
import { type Display, openDisplay } from "../coordinator/display.ts";
import type { NarrativeOptions } from "../coordinator/log/narrative.ts";
import { prepareTrainingRun } from "../coordinator/training-run.ts";
import { onCrash } from "../crashes.ts";
import { writeReport } from "../report/write-report.ts";
import type { CoordinatorConfig, TrainConfig } from "../shared/config.ts";
import { isForeign } from "../shared/config-network.ts";
import { loadDataset, summarise } from "../shared/data/dataset.ts";
import { EXIT_CODES, LockstepError, messageOf, SIGNAL_EXIT_CODES, type Signal } from "../shared/errors.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { listenerKeys } from "../shared/keys/endpoint-keys.ts";
import { shellWord } from "../shared/shell-word.ts";
import { listenZmq } from "../shared/transport/zmq-listener.ts";
import { onSignal } from "../signals.ts";
import { planLocalWorkers, startSingleNode } from "../single-node.ts";
import { VERSION } from "../version.ts";

/** The commands `train` and `coordinator`: a training run with its progress on this terminal. */

interface Running {
  readonly result: Promise<TrainingResult>;
  interrupt(signal: Signal): void;
}

/** `lockstep train`. @returns the exit code */
export async function trainCommand(config: TrainConfig): Promise<number> {
  const plan = await planLocalWorkers(config);
  return watch(config, { workersByHand: false, localWorkers: plan.gpus.length }, (onEvent) =>
    startSingleNode(config, onEvent, plan),
  );
}

/** `lockstep coordinator`. @returns the exit code */
export function coordinatorCommand(config: CoordinatorConfig): Promise<number> {
  return watch(config, { workersByHand: true, workersNeedKeys: config.key !== undefined }, async (onEvent) => {
    const dataset = summarise(await loadDataset(config.data));
    const warnings: string[] = [];
    const keys = listenerKeys(config, (message) => warnings.push(message));
    if (keys === undefined && isForeign(config.listen)) {
      warnings.push(`anyone who can reach ${config.listen} can join and spoil the run: it has no keys (--insecure)`);
    }
    const transport = await listenZmq(config.listen, keys);
    const run = await prepareTrainingRun({ config, dataset, transport, version: VERSION, onEvent });
    for (const message of warnings) run.tell({ type: "warning", message });
    return { result: run.run(), interrupt: (signal) => run.coordinator.interrupt(signal) };
  });
}

/** Starts a run, shows its progress, and ends it in good order at a signal. */
async function watch(
  config: TrainConfig | CoordinatorConfig,
  workers: NarrativeOptions,
  start: (onEvent: (event: TrainingEvent) => void) => Promise<Running>,
): Promise<number> {
  const { stdout, stderr } = process;
  const now = (): number => performance.now();
  const display = openDisplay({ ...config, stdout, stderr, now, environment: process.env, ...workers });
  let running: Running | undefined;
  let early: Signal | undefined;
  // As text, Node.js prints them.
  const ignoreCrashes = config.logFormat === "json" ? onCrash((thrown) => display.fail(thrown)) : () => {};
  const restore = onSignal((signal) => {
    early = signal;
    running?.interrupt(signal);
  });
  try {
    running = await start((event) => display.handle(event));
    if (early !== undefined) running.interrupt(early);
    const result = await running.result;
    const { interruptedBy } = result;
    if (config.report) await report(result, config.data, display);
    // Streams report a failed write in a later turn.
    await setImmediate();
    if (config.json && !display.isWritten) {
      throw new LockstepError("failed", "the result could not be written to stdout; the run itself is complete");
    }
    return interruptedBy === undefined ? 0 : SIGNAL_EXIT_CODES[interruptedBy];
  } catch (thrown) {
    if (!display.fail(thrown)) throw thrown;
    return thrown instanceof LockstepError ? thrown.exitCode : EXIT_CODES.failed;
  } finally {
    restore();
    ignoreCrashes();
    display.close();
  }
}

/** Writes the run's report. Whatever becomes of that, the run itself is complete. */
async function report(
  { runDir, checkpoint }: TrainingResult,
  data: string | undefined,
  display: Display,
): Promise<void> {
  // Before the first step there is nothing to report.
  if (checkpoint === "") return;
  try {
    const { path, warnings } = await writeReport({ runDir, data });
    for (const message of warnings) display.handle({ type: "warning", message });
    display.reported(path);
  } catch (thrown) {
    const again = `make it with: npx lockstep report --run-dir ${shellWord(runDir)}`;
    display.handle({
      type: "warning",
      message: `the run is complete, its report is not: ${messageOf(thrown)}; ${again}`,
    });
  }
}
