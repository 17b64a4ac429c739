import { expect, test } from "vitest";
import { Metrics } from "../../src/coordinator/metrics.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { epoch, started, step, workerLeft, workerPhases } from "./training-events.ts";

const FREE = { decideMs: 0, reduceMs: 0, adamMs: 0, sendMs: 0, tailMs: 0 };

function setUp(options: Partial<TrainConfig> = {}) {
  const clock = { ms: 0 };
  const metrics = new Metrics({ config: configFrom("train", options), version: "1.2.3", now: () => clock.ms });
  /** The samples of lockstep's own metrics, by name and labels. */
  const samples = async () => {
    const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("lockstep_"));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
    );
  };
  return { metrics, clock, samples };
}

test("what is not known yet is not claimed", async () => {
  const { samples } = setUp();
  const all = await samples();
  expect(all).not.toHaveProperty("lockstep_loss");
  expect(all).not.toHaveProperty("lockstep_test_accuracy_ratio");
  expect(all).not.toHaveProperty("lockstep_learning_rate");
  expect(all).toMatchObject({ lockstep_epoch: 0, lockstep_steps_total: 0, lockstep_workers_connected: 0 });
});

test("a run is counted", async () => {
  const { metrics, clock, samples } = setUp();
  metrics.record(started());
  clock.ms = 1000;
  metrics.record(step({ loss: 0.5, samples: 64, stepMs: 2.5 }));
  clock.ms = 2000;
  metrics.record(step({ loss: 0.25, samples: 32, stepMs: 120_000, epoch: 2 }));
  metrics.record(epoch({ testAccuracy: 0.99 }));
  metrics.record(workerLeft({ shardsReassigned: 3, workers: 1 }));
  metrics.record(workerLeft({ lost: false, shardsReassigned: 1, workers: 0 }));
  for (const reason of ["stale-version", "duplicate", "duplicate"]) metrics.record({ type: "rejected", reason });
  const expected = {
    lockstep_loss: 0.25,
    lockstep_learning_rate: 0.001,
    lockstep_test_accuracy_ratio: 0.99,
    lockstep_epoch: 2,
    lockstep_steps_total: 2,
    lockstep_samples_total: 96,
    lockstep_samples_per_second: 48,
    lockstep_workers_connected: 0,
    lockstep_workers_lost_total: 1,
    lockstep_shards_reassigned_total: 4,
    'lockstep_results_rejected_total{reason="stale-version"}': 1,
    'lockstep_results_rejected_total{reason="duplicate"}': 2,
    'lockstep_step_duration_seconds_bucket{le="0.002"}': 0,
    'lockstep_step_duration_seconds_bucket{le="0.003"}': 1,
    'lockstep_step_duration_seconds_bucket{le="60"}': 1,
    'lockstep_step_duration_seconds_bucket{le="+Inf"}': 2,
    lockstep_step_duration_seconds_count: 2,
  };
  expect(await samples()).toMatchObject(expected);
  // Asking must not count anything again.
  expect(await samples()).toMatchObject(expected);
});

test("checkpoints are counted, and which is the last on disk", async () => {
  const { metrics, samples } = setUp();
  expect(await samples()).not.toHaveProperty("lockstep_checkpoint_step");
  const at = { runDir: "r", path: "p", totalSteps: 9380, epoch: 1, epochs: 10, testSamples: 10_000 };
  metrics.record({ type: "resumed", ...at, step: 300 });
  expect(await samples()).toMatchObject({ lockstep_checkpoint_step: 300, lockstep_checkpoints_total: 0 });
  metrics.record({ type: "checkpoint", path: "p", step: 400 });
  metrics.record({ type: "checkpoint-failed", message: "the disk is full", step: 500 });
  expect(await samples()).toMatchObject({
    lockstep_checkpoint_step: 400,
    lockstep_checkpoints_total: 1,
    lockstep_checkpoint_failures_total: 1,
  });
});

test("samples that have counted, and epochs in which all have, are told", async () => {
  const { metrics, samples } = setUp();
  expect(await samples()).toMatchObject({ lockstep_epoch_samples_counted: 0, lockstep_epochs_covered_total: 0 });
  metrics.record(step({ samplesCounted: 25_600 }));
  expect(await samples()).toMatchObject({ lockstep_epoch_samples_counted: 25_600, lockstep_epochs_covered_total: 0 });
  metrics.record(step({ samplesCounted: 60_000 }));
  metrics.record(epoch());
  expect(await samples()).toMatchObject({ lockstep_epoch_samples_counted: 60_000, lockstep_epochs_covered_total: 1 });
});

test("the gradient's norm is told where it is clipped", async () => {
  const clipping = setUp({ clipNorm: 1 });
  expect(await clipping.samples()).not.toHaveProperty("lockstep_gradient_norm");
  clipping.metrics.record(step({ gradientNorm: 2.5 }));
  expect(await clipping.samples()).toMatchObject({ lockstep_gradient_norm: 2.5 });
  const { metrics } = setUp();
  metrics.record(step({ gradientNorm: null }));
  expect(await metrics.text()).not.toContain("lockstep_gradient_norm");
});

test("phases are counted by worker and for the coordinator, in seconds", async () => {
  const { metrics, samples } = setUp();
  const workers = [
    workerPhases({ worker: "worker-1", waitMs: 500, gatherMs: 250, computeMs: 2000, wireMs: 750 }),
    workerPhases({ worker: "worker-2", computeMs: 1000 }),
  ];
  const coordinator = { decideMs: 125, reduceMs: 250, adamMs: 500, sendMs: 1000, tailMs: 99 };
  for (let i = 0; i < 2; i++) metrics.record(step({ phases: { workers, coordinator } }));
  const expected = {
    'lockstep_worker_phase_seconds_total{worker="worker-1",phase="wait"}': 1,
    'lockstep_worker_phase_seconds_total{worker="worker-1",phase="gather"}': 0.5,
    'lockstep_worker_phase_seconds_total{worker="worker-1",phase="compute"}': 4,
    'lockstep_worker_phase_seconds_total{worker="worker-1",phase="wire"}': 1.5,
    'lockstep_worker_phase_seconds_total{worker="worker-2",phase="compute"}': 2,
    'lockstep_coordinator_phase_seconds_total{phase="decide"}': 0.25,
    'lockstep_coordinator_phase_seconds_total{phase="reduce"}': 0.5,
    'lockstep_coordinator_phase_seconds_total{phase="adam"}': 1,
    'lockstep_coordinator_phase_seconds_total{phase="send"}': 2,
  };
  expect(await samples()).toMatchObject(expected);
  expect(await samples()).toMatchObject(expected);
  const text = await metrics.text();
  for (const phase of ["wait:", "gather:", "compute:", "wire:", "decide:", "reduce:", "adam:", "send:"]) {
    expect(text).toMatch(new RegExp(`^# HELP lockstep_(worker|coordinator)_phase_seconds_total .*${phase}`, "m"));
  }
});

test("workers that left long ago are counted together", async () => {
  const { metrics, samples } = setUp();
  for (let i = 1; i <= 50; i++) {
    const worker = `worker-${i}`;
    const phases = { workers: [workerPhases({ worker, computeMs: 1000 })], coordinator: FREE };
    metrics.record(step({ phases }));
    metrics.record(workerLeft({ worker }));
  }
  const computed = Object.entries(await samples()).filter(([name]) => name.endsWith('phase="compute"}'));
  expect(computed).toHaveLength(17);
  expect(computed).toContainEqual(['lockstep_worker_phase_seconds_total{worker="gone",phase="compute"}', 34]);
});

test("workers are described while they are there", async () => {
  const { metrics, samples } = setUp();
  const joined = { type: "worker-joined", device: "cpu", host: "here", pid: 7, workers: 1 } as const;
  metrics.record({ ...joined, worker: "worker-1", engine: "wasm" });
  const gpu = { engine: "tensorflow", device: "NVIDIA H100", runtime: "TensorFlow 2", driver: "550" };
  metrics.record({ ...joined, worker: "worker-2", ...gpu });
  const first =
    'lockstep_worker_info{worker="worker-1",host="here",pid="7",engine="wasm",device="cpu",runtime="",driver=""}';
  const second =
    'lockstep_worker_info{worker="worker-2",host="here",pid="7",engine="tensorflow",device="NVIDIA H100",' +
    'runtime="TensorFlow 2",driver="550"}';
  expect(await samples()).toMatchObject({ [first]: 1, [second]: 1, lockstep_workers_connected: 1 });
  metrics.record(workerLeft({ worker: "worker-1" }));
  const left = await samples();
  expect(left).not.toHaveProperty([first]);
  expect(left).toMatchObject({ [second]: 1 });
});

test("a loss that is not a number is shown as such", async () => {
  const { metrics } = setUp();
  metrics.record(step({ loss: NaN }));
  expect(await metrics.text()).toMatch(/^lockstep_loss Nan$/im);
});

test("reasons stay bounded", async () => {
  const { metrics, samples } = setUp();
  for (let i = 0; i < 1000; i++) metrics.record({ type: "rejected", reason: `reason-${i}` });
  const rejected = Object.entries(await samples()).filter(([name]) => name.startsWith("lockstep_results_rejected"));
  expect(rejected).toHaveLength(33);
  expect(Object.fromEntries(rejected)['lockstep_results_rejected_total{reason="other"}']).toBe(1000 - 32);
});

test("the run, the build and the process are described", async () => {
  const { metrics } = setUp();
  const text = await metrics.text();
  expect(text).toContain(`lockstep_build_info{version="1.2.3",node="${process.version}"} 1`);
  expect(text).toMatch(/^lockstep_run_info\{recipe="seed",seed="1",.*batch_size="64".*\} 1$/m);
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
});

test("the exposition is well-formed: each metric has help and type, once", async () => {
  const first = setUp();
  setUp();
  const text = await first.metrics.text();
  const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const line of text.split("\n")) {
    expect(line).toMatch(/^$|^# (HELP|TYPE) \w+ .+$|^\w+(\{.*\})? (-?[\d.e+-]+|Nan|[+-]?Inf)$/i);
  }
});
