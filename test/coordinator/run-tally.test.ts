import { expect, test } from "vitest";
import { RunTally } from "../../src/coordinator/run-tally.ts";
import type { TrainingEvent } from "../../src/shared/events.ts";
import { parseRunRecord, type RunRecord } from "../../src/shared/run-record.ts";
import { finished, workerLeft } from "./training-events.ts";

const SOFTWARE = { lockstep: "1.2.3", node: "v20.19.0", system: "linux x64" };
const NO_FAULTS = {
  ...{ workersLost: 0, shardsReassigned: 0, workersLate: 0, shardsLate: 0, resultsRejected: {} },
  ...{ checkpointsFailed: 0, waits: 0 },
};

function joined(device: string): TrainingEvent {
  return { type: "worker-joined", worker: "w", engine: "wasm", device, host: "h", pid: 1, workers: 1 };
}

function recordOf(events: readonly TrainingEvent[], before?: RunRecord): RunRecord {
  const tally = new RunTally("2026-01-31T12:00:00.000Z");
  for (const event of events) tally.record(event);
  const ended = finished();
  if (ended.type !== "finished") throw new Error("not the event that was asked for");
  return tally.concluded(ended.result, SOFTWARE, "2026-01-31T13:00:00.000Z", before);
}

test("counts what befell the run", () => {
  const late = { worker: "w", step: 3, lateMs: 2000 };
  const record = recordOf([
    ...[joined("cpu"), joined("cpu"), joined("gpu")],
    ...[workerLeft({ shardsReassigned: 3 }), workerLeft({ lost: false, shardsReassigned: 1 })],
    ...[{ type: "worker-late", shards: 2, ...late } as const, { type: "worker-late", shards: 1, ...late } as const],
    ...["stale", "stale", "size"].map((reason) => ({ type: "rejected", reason }) as const),
    { type: "checkpoint-failed", message: "disk full", step: 4 },
    { type: "waiting", workers: 0, minWorkers: 1, waitedMs: 5000 },
  ]);
  expect(record.faults).toEqual({
    ...{ workersLost: 1, shardsReassigned: 4, workersLate: 2, shardsLate: 3 },
    ...{ resultsRejected: { stale: 2, size: 1 }, checkpointsFailed: 1, waits: 1 },
  });
  expect(record.devices).toMatchObject([
    { device: "cpu", workers: 2 },
    { device: "gpu", workers: 1 },
  ]);
});

test("keeps the starts before, the oldest first, and not without end", () => {
  const third = recordOf([], recordOf([], recordOf([workerLeft()])));
  expect(third.earlier.map(({ faults }) => faults)).toEqual([
    { ...NO_FAULTS, workersLost: 1, shardsReassigned: 3 },
    NO_FAULTS,
  ]);
  let record: RunRecord | undefined;
  for (let start = 0; start < 105; start++) record = recordOf([], record);
  expect(record?.earlier).toHaveLength(100);
});

test("is the same once it was written and read", () => {
  const record = recordOf([joined("cpu"), workerLeft()], recordOf([]));
  expect(parseRunRecord(JSON.stringify(record))).toEqual(JSON.parse(JSON.stringify(record)));
  expect(parseRunRecord("{")).toBe("it is not JSON");
  expect(parseRunRecord(JSON.stringify({ ...record, steps: -1 }))).toMatch(/^steps: /);
});
