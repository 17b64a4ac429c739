import { expect, test } from "vitest";
import type { Assign } from "../../src/shared/protocol/messages.ts";
import { WorkerMetrics } from "../../src/worker/metrics.ts";

const engine = { name: "tensorflow", device: "NVIDIA H100", runtime: "TensorFlow 2" } as const;

function setUp() {
  const connection = { isConnected: false };
  const metrics = new WorkerMetrics({
    ...{ engine, driver: "550", version: "1.2.3" },
    isConnected: () => connection.isConnected,
  });
  return { connection, metrics, lines: async () => (await metrics.text()).split("\n") };
}

const step: Assign = {
  ...{ type: "assign", session: "c/1", step: 0, slices: [], epoch: 0, shardCount: 2, globalCount: 60 },
  shards: [
    { index: 0, count: 32 },
    { index: 1, count: 28 },
  ],
};
const evaluation = {
  type: "evaluate",
  session: "c/1",
  version: 1,
  chunk: 0,
  images: "test",
  first: 0,
  count: 500,
} as const;

test("what was computed is counted", async () => {
  const { connection, metrics, lines } = setUp();
  metrics.computed(step, 4);
  metrics.computed(step, 20);
  metrics.computed(evaluation, 500);
  connection.isConnected = true;
  metrics.traffic.sent.add("result", [new Uint8Array(7)]);
  expect(await lines()).toEqual(
    expect.arrayContaining([
      "lockstep_worker_connected 1",
      'lockstep_worker_tasks_total{type="step"} 2',
      'lockstep_worker_tasks_total{type="evaluation"} 1',
      "lockstep_worker_samples_total 120",
      "lockstep_worker_step_compute_seconds_sum 0.024",
      'lockstep_worker_step_compute_seconds_bucket{le="0.005"} 1',
      "lockstep_worker_step_compute_seconds_count 2",
      'lockstep_worker_messages_total{direction="sent",type="result"} 1',
      'lockstep_worker_message_bytes_total{direction="sent",type="result"} 7',
      'lockstep_worker_messages_total{direction="received",type="assign"} 0',
      'lockstep_worker_engine_info{engine="tensorflow",device="NVIDIA H100",runtime="TensorFlow 2",driver="550"} 1',
      `lockstep_build_info{version="1.2.3",node="${process.version}"} 1`,
    ]),
  );
});

test("once it was welcomed every series names the run and the worker, by its latest name", async () => {
  const { metrics, lines } = setUp();
  expect(metrics.names).toEqual({ run: null, worker: null });
  metrics.welcomed({ name: "worker-3", runId: "/somewhere/runs/mine" });
  metrics.welcomed({ name: "worker-4", runId: "/somewhere/runs/mine" });
  const series = (await lines()).filter((line) => /^[a-z]/.test(line));
  expect(series.some((line) => line.startsWith("process_resident_memory_bytes"))).toBe(true);
  expect(series.filter((line) => !line.includes('run="mine",worker="worker-4"'))).toEqual([]);
});
