import { expect, test } from "vitest";
import { Metrics } from "../../src/coordinator/metrics.ts";
import type { RosterEntry } from "../../src/coordinator/roster.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { MessageCounts } from "../../src/shared/metrics/message-counts.ts";
import { endEvaluated, finished, epoch, resumed, started, step, workerLeft, workerPhases } from "./training-events.ts";

const FREE = { decideMs: 0, reduceMs: 0, adamMs: 0, sendMs: 0, tailMs: 0 };

/** 2026-01-31T12:00:00Z */
const START_MS = 1_769_860_800_000;

function setUp(options: Partial<TrainConfig> = {}) {
  const clock = { ms: 0 };
  const metrics = new Metrics({
    ...{ config: configFrom("train", options), version: "1.2.3" },
    ...{ now: () => clock.ms, time: () => START_MS + clock.ms },
  });
  const source = {
    workers: [] as readonly RosterEntry[],
    roster: () => source.workers,
    traffic: { sent: MessageCounts.ofCoordinator(), received: MessageCounts.ofWorkers() },
    coverage: { lost: 0, repeated: 0 },
  };
  metrics.watch("somewhere/a-run/", source);
  /** The samples of lockstep's own metrics, by name and labels but the run's. */
  const samples = async () => {
    const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("lockstep_"));
    return Object.fromEntries(
      lines.map((line) => {
        const name = line.slice(0, line.lastIndexOf(" ")).replace(/,?run="a-run"\}$/, "}");
        return [name.replace("{}", ""), Number(line.split(" ").at(-1))];
      }),
    );
  };
  return { metrics, clock, source, samples };
}

function worker(changes: Partial<RosterEntry> = {}): RosterEntry {
  return {
    ...{ name: "worker-1", host: "here", pid: 7, engine: "wasm", device: "cpu", ready: true, state: "ready" },
    ...{ silentMs: 250, shardMs: undefined },
    ...changes,
  };
}

test("every series names the run, and there is none before the run is known", async () => {
  const metrics = new Metrics({
    ...{ config: configFrom("train", {}), version: "1", now: () => 0, time: () => START_MS },
  });
  expect(await metrics.text()).toBe("");
  const text = await setUp().metrics.text();
  const series = text.split("\n").filter((line) => /^[a-z]/.test(line));
  expect(series.filter((line) => line.startsWith("process_")).length).toBeGreaterThan(0);
  expect(series.filter((line) => !line.includes('run="a-run"'))).toEqual([]);
});

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
    lockstep_epochs: 10,
    lockstep_step: 400,
    lockstep_run_steps: 9380,
    lockstep_run_start_timestamp_seconds: START_MS / 1000,
    lockstep_run_finished: 0,
    lockstep_train_loss: 0.2001,
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
  metrics.record(finished());
  expect(await samples()).toMatchObject({ lockstep_run_finished: 1 });
});

test("accuracies are those of the last evaluation, also of one amid an epoch; the best epoch is that of the fewest errors", async () => {
  const { metrics, samples } = setUp();
  metrics.record(epoch({ testAccuracy: 0.96 }));
  const without = await samples();
  expect(without).toMatchObject({ lockstep_test_accuracy_ratio: 0.96 });
  expect(without).not.toHaveProperty("lockstep_validation_accuracy_ratio");
  expect(without).not.toHaveProperty("lockstep_best_epoch");
  metrics.record(epoch({ epoch: 2, testAccuracy: 0.97, validationAccuracy: 0.98, isBest: true }));
  metrics.record(epoch({ epoch: 3, testAccuracy: 0.971, validationAccuracy: 0.975 }));
  const accuracies = { lockstep_test_accuracy_ratio: 0.971, lockstep_validation_accuracy_ratio: 0.975 };
  expect(await samples()).toMatchObject({ ...accuracies, lockstep_best_epoch: 2 });
  metrics.record(endEvaluated({ testAccuracy: 0.98, validationAccuracy: 0.99 }));
  expect(await samples()).toMatchObject({
    ...{ lockstep_test_accuracy_ratio: 0.98, lockstep_validation_accuracy_ratio: 0.99, lockstep_best_epoch: 2 },
    lockstep_epochs_covered_total: 3,
  });
});

test("a resumed run stands where it was before its first step", async () => {
  const { metrics, samples } = setUp();
  metrics.record(resumed({ step: 1500, totalSteps: 9380, epoch: 2 }));
  expect(await samples()).toMatchObject({ lockstep_step: 1500, lockstep_run_steps: 9380, lockstep_steps_total: 0 });
  expect(await samples()).not.toHaveProperty("lockstep_best_epoch");
  metrics.record(resumed({ step: 1500, totalSteps: 9380, epoch: 2, bestEpoch: 1 }));
  expect(await samples()).toMatchObject({ lockstep_best_epoch: 1 });
});

test("checkpoints are counted, and which is the last on disk", async () => {
  const { metrics, clock, samples } = setUp();
  expect(await samples()).not.toHaveProperty("lockstep_checkpoint_step");
  metrics.record(resumed({ step: 300 }));
  expect(await samples()).toMatchObject({ lockstep_checkpoint_step: 300, lockstep_checkpoints_total: 0 });
  expect(await samples()).not.toHaveProperty("lockstep_checkpoint_timestamp_seconds");
  clock.ms = 90_000;
  metrics.record({ type: "checkpoint", path: "p", step: 400, sizeBytes: 1_234_000, durationMs: 8 });
  metrics.record({ type: "checkpoint-failed", message: "the disk is full", step: 500 });
  expect(await samples()).toMatchObject({
    lockstep_checkpoint_step: 400,
    lockstep_checkpoints_total: 1,
    lockstep_checkpoint_failures_total: 1,
    lockstep_checkpoint_timestamp_seconds: START_MS / 1000 + 90,
    lockstep_checkpoint_size_bytes: 1_234_000,
    'lockstep_checkpoint_duration_seconds_bucket{le="0.005"}': 0,
    'lockstep_checkpoint_duration_seconds_bucket{le="0.01"}': 1,
    lockstep_checkpoint_duration_seconds_sum: 0.008,
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

test("the gradient's norm is the last one that was measured", async () => {
  const { metrics, samples } = setUp();
  metrics.record(step({ gradientNorm: null }));
  expect(await samples()).not.toHaveProperty("lockstep_gradient_norm");
  metrics.record(step({ gradientNorm: 2.5 }));
  metrics.record(step({ gradientNorm: null }));
  expect(await samples()).toMatchObject({ lockstep_gradient_norm: 2.5 });
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
    'lockstep_worker_shards_total{worker="worker-1"}': 2,
    'lockstep_worker_phase_duration_seconds_count{phase="compute"}': 4,
    'lockstep_worker_phase_duration_seconds_sum{phase="compute"}': 6,
    'lockstep_worker_phase_duration_seconds_bucket{le="1",phase="compute"}': 2,
    'lockstep_coordinator_phase_duration_seconds_sum{phase="tail"}': 0.198,
    'lockstep_coordinator_phase_duration_seconds_bucket{le="0.1",phase="tail"}': 2,
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
  const computed = Object.entries(await samples()).filter(([name]) =>
    /^lockstep_worker_phase_seconds_total.*compute/.test(name),
  );
  expect(computed).toHaveLength(17);
  expect(computed).toContainEqual(['lockstep_worker_phase_seconds_total{worker="gone",phase="compute"}', 34]);
});

test("workers are described as they are at the moment", async () => {
  const { source, samples } = setUp();
  const gpu = { engine: "tensorflow", device: "NVIDIA H100", runtime: "TensorFlow 2", driver: "550" };
  source.workers = [
    worker({ silentMs: 250, shardMs: 12.5 }),
    worker({ name: "worker-2", ...gpu, state: "late" }),
    worker({ name: "worker-3", ready: false, state: "joining" }),
  ];
  const first =
    'lockstep_worker_info{worker="worker-1",host="here",pid="7",engine="wasm",device="cpu",runtime="",driver=""}';
  const second =
    'lockstep_worker_info{worker="worker-2",host="here",pid="7",engine="tensorflow",device="NVIDIA H100",' +
    'runtime="TensorFlow 2",driver="550"}';
  const all = await samples();
  expect(all).toMatchObject({
    ...{ [first]: 1, [second]: 1 },
    'lockstep_workers{state="ready"}': 1,
    'lockstep_workers{state="late"}': 1,
    'lockstep_workers{state="joining"}': 1,
    'lockstep_workers{state="leaving"}': 0,
    'lockstep_workers{state="standby"}': 0,
    'lockstep_worker_heartbeat_age_seconds{worker="worker-1"}': 0.25,
    'lockstep_worker_shard_seconds{worker="worker-1"}': 0.0125,
  });
  expect(Object.keys(all).filter((name) => /^lockstep_worker_(info|shard_seconds)\{/.test(name))).toHaveLength(3);
  source.workers = source.workers.slice(1, 2);
  const left = await samples();
  expect(left).not.toHaveProperty([first]);
  expect(left).toMatchObject({ [second]: 1, 'lockstep_workers{state="ready"}': 0 });
});

test("workers that join are counted, and how many are wanted is told", async () => {
  const { metrics, samples } = setUp({ minWorkers: 2 });
  const joined = { type: "worker-joined", device: "cpu", host: "here", pid: 7, engine: "wasm" } as const;
  metrics.record({ ...joined, worker: "worker-1", workers: 1 });
  metrics.record({ ...joined, worker: "worker-2", workers: 2 });
  expect(await samples()).toMatchObject({
    ...{ lockstep_workers_joined_total: 2, lockstep_workers_connected: 2, lockstep_workers_wanted: 2 },
  });
});

test("messages are counted by direction and type, with their bytes", async () => {
  const { source, samples } = setUp();
  source.traffic.received.add("result", [new Uint8Array(100), new Uint8Array(4000)]);
  source.traffic.received.add("result", [new Uint8Array(50)]);
  source.traffic.sent.add("ping", [new Uint8Array(60)]);
  expect(await samples()).toMatchObject({
    'lockstep_messages_total{direction="received",type="result"}': 2,
    'lockstep_message_bytes_total{direction="received",type="result"}': 4150,
    'lockstep_messages_total{direction="sent",type="ping"}': 1,
    'lockstep_message_bytes_total{direction="sent",type="ping"}': 60,
    'lockstep_messages_total{direction="sent",type="assign"}': 0,
  });
});

test("gradients that are not finite, and samples that did not count once, are counted", async () => {
  const { metrics, source, samples } = setUp();
  for (const reason of ["not-finite", "duplicate", "not-finite"]) metrics.record({ type: "rejected", reason });
  source.coverage = { lost: 3, repeated: 4 };
  expect(await samples()).toMatchObject({
    ...{ lockstep_gradients_not_finite_total: 2, lockstep_samples_lost_total: 3, lockstep_samples_repeated_total: 4 },
  });
});

test("a loss that is not a number is shown as such", async () => {
  const { metrics } = setUp();
  metrics.record(step({ loss: NaN }));
  expect(await metrics.text()).toMatch(/^lockstep_loss\{.*\} Nan$/im);
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
  expect(text).toContain(`lockstep_build_info{version="1.2.3",node="${process.version}",run="a-run"} 1`);
  expect(text).toMatch(/^lockstep_run_info\{recipe="seed",seed="1",.*batch_size="64".*\} 1$/m);
  expect(text).toMatch(/^process_resident_memory_bytes\{run="a-run"\} \d+$/m);
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
