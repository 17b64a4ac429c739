import { expect, test } from "vitest";
import { LogSummary } from "../../src/report/log-summary.ts";

const lineOf = (event: string, step: number): string =>
  JSON.stringify({
    level: "info",
    time: "2026-01-31T12:00:00.000Z",
    run: "r",
    worker: null,
    step,
    event,
    msg: `m${step}`,
  });

test("counts events, and keeps the newest that people may want to read about", () => {
  const log = new LogSummary();
  for (let step = 1; step <= 50; step++) {
    log.add(lineOf("epoch", step));
    log.add(lineOf("worker-lost", step));
  }
  expect([log.count("epoch"), log.count("worker-lost"), log.count("run-failed")]).toEqual([50, 50, 0]);
  expect(log.entries().map(({ msg }) => msg)).toEqual(Array.from({ length: 40 }, (_, i) => `m${i + 11}`));
  expect(log.earlier).toBe(10);
});

test("knows what was counted of the weights that a run ended with amid an epoch", () => {
  const log = new LogSummary();
  const counted = { testAccuracy: 0.97, testErrors: 300, validationAccuracy: null, validationErrors: null };
  log.add(JSON.stringify({ ...(JSON.parse(lineOf("end-evaluated", 7)) as object), ...counted }));
  log.add(JSON.stringify({ ...(JSON.parse(lineOf("epoch", 8)) as object), ...counted }));
  expect(log.endEvaluation(7)).toMatchObject(counted);
  expect(log.endEvaluation(8)).toBeUndefined();
  expect(log.entries().map(({ event }) => event)).toEqual(["end-evaluated"]);
});

test("passes over what is no line of a log", () => {
  const log = new LogSummary();
  for (const line of ["", "{", "null", '{"event":7}', lineOf("warning", 3).slice(0, -4)]) log.add(line);
  expect([log.entries(), log.earlier]).toEqual([[], 0]);
});
