import { expect, test } from "vitest";
import { RunLog } from "../../../src/coordinator/log/run-log.ts";
import { Log } from "../../../src/shared/log/log.ts";
import { epoch, step, workerLeft } from "../training-events.ts";

test("a flood of workers that come and go makes no endless log, and leaves room for all else", () => {
  let ms = 0;
  const written: { readonly event: string; readonly msg: string; readonly bytes: number }[] = [];
  const log = new RunLog({
    log: new Log({
      write: (line) => {
        const { event, msg } = JSON.parse(line) as { event: string; msg: string };
        written.push({ event, msg, bytes: line.length });
      },
    }),
    ...{ workersByHand: false, logEvery: 400, now: () => ms },
  });
  const host = "x".repeat(2_000);
  const joined = { type: "worker-joined", worker: "worker-1", pid: 1, engine: "wasm", device: "cpu", host } as const;
  for (let i = 0; i < 100_000; i++) {
    ms += 10;
    log.record({ ...joined, workers: 1 });
    log.record(workerLeft({ worker: "worker-1", reason: "r".repeat(2_000) }));
    if (i === 50_000) log.record(epoch());
  }
  log.record(step());
  const size = written.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(size, "of a log of 20 minutes").toBeLessThan(3e6);
  expect(written.filter(({ event }) => event === "epoch" || event === "step")).toHaveLength(2);
  expect(written.filter(({ event }) => event === "worker-joined").length).toBeGreaterThan(100);
  const said = written.filter(({ msg }) => msg.includes("no more of this is told"));
  expect(said.length).toBeGreaterThanOrEqual(1);
  expect(said.length).toBeLessThan(5);

  // It has become calm.
  ms += 3_600_000;
  written.length = 0;
  log.record({ ...joined, workers: 1 });
  expect(written.map(({ event }) => event)).toEqual(["worker-joined"]);
});
