import { describe, expect, test } from "vitest";
import type { Labels, SuiteReport, Unit } from "../../src/bench/report.ts";
import type { BenchSuite } from "../../src/shared/config.ts";
import { PYTORCH } from "./peers/pytorch.ts";
import { evaluateTargets, type Target, targetsMarkdown } from "./targets.ts";

function report(suite: BenchSuite, unit: Unit, rows: readonly (readonly [Labels, readonly number[]])[]): SuiteReport {
  return { suite, title: "", unit, notes: [], measurements: rows.map(([of, rounds]) => ({ of, rounds })) };
}

function named(targets: readonly Target[], what: string): Target {
  const found = targets.find((target) => target.what === what);
  return found ?? expect.fail(`there is no target "${what}" among ${targets.map((target) => target.what).join("; ")}`);
}

const TRAINING = report("training", "images/s", [
  [{ batch: 64, trainer: "in-process", workers: 1 }, [20_000, 10_000, 20_000]],
  [{ batch: 64, trainer: "process", workers: 1 }, [1, 1, 1]],
  [{ batch: 64, trainer: "process", workers: 2 }, [25_000, 20_000, 24_000]],
  [{ batch: 64, trainer: PYTORCH.oneThread, workers: 1 }, [10_000, 6_000, 10_000]],
  [{ batch: 64, trainer: PYTORCH.twoThreads, workers: 1 }, [12_000, 12_000, 3_000]],
  [{ batch: 64, trainer: PYTORCH.distributed, workers: 2 }, []],
]);

describe("training", () => {
  const targets = evaluateTargets([TRAINING]);

  test("ratios are medians of the rounds' ratios", () => {
    expect(named(targets, "2 process workers / 1 in-process, batch 64")).toMatchObject({
      goal: 1.3,
      bound: "at least",
      measured: { median: 1.25, min: 1.2, max: 2 },
      verdict: "miss",
    });
    expect(named(targets, "1 in-process worker / PyTorch on 1 thread, batch 64")).toMatchObject({
      measured: { median: 2 },
      verdict: "pass",
    });
  });

  test("what was not measured is neither passed nor missed", () => {
    for (const what of ["2 thread workers / 1 in-process, batch 64", "2 process workers / PyTorch DDP, batch 64"]) {
      expect(named(targets, what)).toMatchObject({ verdict: "not measured" });
      expect(named(targets, what)).not.toHaveProperty("measured");
    }
    expect(named(targets, "2 process workers / 1 in-process, batch 256").verdict).toBe("not measured");
  });

  test("PyTorch's best is the way with the highest median", () => {
    const threads = report("training", "images/s", [
      ...TRAINING.measurements.map(({ of, rounds }) => [of, rounds] as const),
      [{ batch: 64, trainer: "thread", workers: 2 }, [36_000, 36_000, 36_000]],
    ]);
    const best = named(evaluateTargets([threads]), "2 thread workers / PyTorch's best, batch 64");
    expect(best).toMatchObject({ measured: { median: 3, max: 12 }, verdict: "miss" });
  });
});

test("times and memory have upper bounds", () => {
  const targets = evaluateTargets([
    report("exchange", "ms", [
      [{ workers: 2, through: "bare sockets" }, [0.1]],
      [{ workers: 2, through: "lockstep, processes" }, [0.3, 0.4]],
      [{ workers: 16, through: "lockstep, processes" }, [2.4, 3.6]],
    ]),
    report("time-to-accuracy", "s", [
      [{ recipe: "seed", until: "first step done" }, [0.6]],
      [{ recipe: "fast", until: "end" }, [8]],
      [{ recipe: "fast", until: "end, without the start" }, [4.5]],
      [{ recipe: "seed", until: "end" }, [31]],
    ]),
    report("memory", "MB", [
      [{ process: "coordinator", when: "late" }, [900]],
      [{ process: "coordinator", when: "peak" }, [120]],
      [{ process: "worker 1", when: "peak" }, [180]],
      [{ process: "coordinator and workers", when: "peak" }, [333]],
    ]),
  ]);
  expect(named(targets, "step of 2 workers that compute nothing")).toMatchObject({
    measured: { median: 0.35 },
    verdict: "pass",
  });
  expect(named(targets, "the same, 16 workers / 2 workers")).toMatchObject({ bound: "at most", verdict: "miss" });
  expect(named(targets, "first step done after the start").verdict).toBe("pass");
  expect(named(targets, "seed recipe, 10 epochs, from start to end")).toMatchObject({
    measured: { max: 31 },
    verdict: "miss",
  });
  expect(named(targets, "fast recipe, training alone")).toMatchObject({ measured: { max: 4.5 }, verdict: "pass" });
  expect(named(targets, "peak memory of a coordinator or a worker")).toMatchObject({
    measured: { max: 180 },
    verdict: "pass",
  });
  expect(named(targets, "the same, a coordinator with 2 workers as threads")).toMatchObject({
    measured: { max: 333 },
    verdict: "pass",
  });
});

test("without any report every target is listed as not measured", () => {
  const targets = evaluateTargets([]);
  expect(new Set(targets.map(({ verdict }) => verdict))).toEqual(new Set(["not measured"]));
  const rows = targetsMarkdown(targets)
    .split("\n")
    .filter((line) => line.startsWith("|"));
  expect(rows).toHaveLength(targets.length + 2);
});
