import type { EpochColumns, LiveEvent, LiveState, LiveWorker, Snapshot, StepColumns, Update } from "./protocol.ts";

/** All that the page knows of the run. */
export interface History {
  readonly state: LiveState;
  readonly steps: StepColumns;
  readonly epochs: EpochColumns;
  readonly workers: readonly LiveWorker[];
  readonly events: readonly LiveEvent[];
}

export function historyOf({ state, steps, epochs, workers, events }: Snapshot): History {
  return { state, steps, epochs, workers, events };
}

/** What is known after an update. Pure. */
export function updated(before: History, { state, steps, epochs, workers, events }: Update): History {
  const joined = <Value>(old: readonly Value[], news: readonly Value[]): Value[] => [
    ...old.slice(0, steps.from),
    ...news,
  ];
  return {
    state,
    steps: {
      step: joined(before.steps.step, steps.step),
      loss: joined(before.steps.loss, steps.loss),
      accuracy: joined(before.steps.accuracy, steps.accuracy),
      samplesPerSecond: joined(before.steps.samplesPerSecond, steps.samplesPerSecond),
    },
    epochs: epochs ?? before.epochs,
    workers,
    events: events ?? before.events,
  };
}
