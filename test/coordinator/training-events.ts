/** Events of a made-up run, for the tests of everything that watches one. */

import type { TrainingEvent, TrainingResult, WorkerPhases } from "../../src/shared/events.ts";

type EventOf<Type extends TrainingEvent["type"]> = Extract<TrainingEvent, { type: Type }>;

export function started(changes: Partial<EventOf<"started">> = {}): TrainingEvent {
  return {
    type: "started",
    epochs: 10,
    stepsPerEpoch: 938,
    totalSteps: 9380,
    trainSamples: 60_000,
    testSamples: 10_000,
    workers: 2,
    step: 0,
    ...changes,
  };
}

export function resumed(changes: Partial<EventOf<"resumed">> = {}): TrainingEvent {
  return {
    type: "resumed",
    runDir: "runs/a",
    path: "runs/a/checkpoints/step-001500.safetensors",
    step: 1500,
    totalSteps: 9380,
    epoch: 2,
    epochs: 10,
    testSamples: 10_000,
    bestEpoch: null,
    ...changes,
  };
}

export function step(changes: Partial<EventOf<"step">> = {}): TrainingEvent {
  return {
    type: "step",
    epoch: 1,
    stepInEpoch: 400,
    step: 400,
    loss: 0.09068,
    learningRate: 0.001,
    samples: 64,
    correct: 60,
    samplesCounted: 25_600,
    gradientNorm: null,
    stepMs: 2.5,
    workers: 2,
    phases: {
      workers: [workerPhases({ worker: "worker-1" }), workerPhases({ worker: "worker-2" })],
      coordinator: { decideMs: 0.1, reduceMs: 0.2, adamMs: 0.15, sendMs: 0.25, tailMs: 0.1 },
    },
    ...changes,
  };
}

/** A worker's part in a step. */
export function workerPhases(changes: Partial<WorkerPhases> = {}): WorkerPhases {
  return { worker: "worker-1", shards: 1, waitMs: 0.5, gatherMs: 0.2, computeMs: 1.8, wireMs: 0.4, ...changes };
}

export function epoch(changes: Partial<EventOf<"epoch">> = {}): TrainingEvent {
  return {
    type: "epoch",
    epoch: 1,
    trainLoss: 0.2001,
    trainAccuracy: 0.95,
    testAccuracy: 0.981,
    testErrors: 190,
    testSamples: 10_000,
    ...{ validationAccuracy: null, validationErrors: null, validationSamples: 0, isBest: false },
    samplesPerSecond: 28_411.6,
    ...changes,
  };
}

export function endEvaluated(changes: Partial<EventOf<"end-evaluated">> = {}): TrainingEvent {
  return {
    type: "end-evaluated",
    step: 1500,
    ...{ testAccuracy: 0.982, testErrors: 180, testSamples: 10_000 },
    ...{ validationAccuracy: null, validationErrors: null, validationSamples: 0 },
    ...changes,
  };
}

export function workerLeft(changes: Partial<EventOf<"worker-left">> = {}): TrainingEvent {
  return {
    type: "worker-left",
    worker: "w2",
    reason: "killed by SIGKILL",
    lost: true,
    shardsReassigned: 3,
    workers: 1,
    ...changes,
  };
}

export function finished(changes: Partial<TrainingResult> = {}): TrainingEvent {
  const result: TrainingResult = {
    testAccuracy: 0.9896,
    testErrors: 104,
    ...{ validationAccuracy: null, validationErrors: null, bestEpoch: null },
    trainLoss: 0.01,
    epochs: 10,
    steps: 9380,
    samples: 600_000,
    samplesLost: 0,
    samplesRepeated: 0,
    resumedFrom: null,
    trainSeconds: 24.34,
    wallSeconds: 25,
    samplesPerSecond: 24_650.8,
    workers: 2,
    workersLost: 0,
    shardsReassigned: 0,
    engine: "wasm",
    weightsSha256: "0123456789abcdef".repeat(4),
    runDir: "runs/a",
    checkpoint: "runs/a/checkpoints/step-009380.safetensors",
    efficiency: null,
    ...changes,
  };
  return { type: "finished", result };
}
