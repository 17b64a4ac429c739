import { expect, test } from "vitest";
import { ActiveTime } from "../../src/compare/active-time.ts";

type Entry = readonly [second: number, event: string, more?: object];

function timeOf(...lines: readonly (Entry | string)[]): ActiveTime {
  const time = new ActiveTime();
  for (const line of lines) {
    if (typeof line === "string") time.add(line);
    else time.add(JSON.stringify({ time: new Date(line[0] * 1000).toISOString(), event: line[1], ...line[2] }));
  }
  return time;
}

const at = (step: number, epoch?: number) => ({ step, epoch });

test("counts from the start of training, and not what comes before", () => {
  const time = timeOf(
    [90, "listening"],
    [100, "run-started", at(0)],
    [104, "epoch", at(9, 1)],
    [109, "run-finished", at(9)],
  );
  expect([time.untilEpoch(1), time.untilEpoch(2), time.total()]).toEqual([4, null, 9]);
  expect(time.lastStart).toBe(new Date(100_000).toISOString());
});

test("leaves out the time between two starts; of an epoch done twice the last counts", () => {
  const first: Entry[] = [
    [100, "run-started", at(0)],
    [105, "epoch", at(9, 1)],
    [106, "step", at(10)],
  ];
  const second: Entry[] = [
    [900, "monitoring"],
    [910, "run-resumed", at(5)],
    [920, "worker-joined", at(5)],
  ];
  const third: Entry[] = [
    [1000, "run-started", at(5)],
    [1003, "epoch", at(9, 1)],
  ];
  expect(timeOf(...first, ...second).total()).toBe(6);
  const time = timeOf(...first, ...second, ...third);
  expect([time.untilEpoch(1), time.total()]).toEqual([9, 9]);
});

test("a start that finds nothing left to do leaves the result to the one before", () => {
  const run: Entry[] = [
    [100, "run-started", at(0)],
    [105, "epoch", at(9, 1)],
    [106, "run-finished", at(9)],
  ];
  const again: Entry[] = [
    [900, "run-resumed", at(9)],
    [901, "run-finished", at(9)],
  ];
  expect(timeOf(...run, ...again).lastStart).toBe(timeOf(...run).lastStart);
  expect(timeOf(...run, ...again, ...again).lastStart).toBe(timeOf(...run).lastStart);
  expect(timeOf(...run, again[0]!).lastStart).not.toBe(timeOf(...run).lastStart);
});

test("a failure is that of the last start", () => {
  expect(timeOf([1, "run-started"], [2, "run-failed", { msg: "no disk" }]).failure).toBe("no disk");
  expect(timeOf([1, "run-started"], [2, "run-failed", { msg: "no disk" }], [3, "run-resumed"]).failure).toBeUndefined();
});

test("what is no line of a log is passed over, and without a start there is no time", () => {
  const time = timeOf("{", "7", '{"time":"never","event":"run-started"}', [5, "epoch", { epoch: 1 }]);
  expect([time.untilEpoch(1), time.total()]).toEqual([null, null]);
});
