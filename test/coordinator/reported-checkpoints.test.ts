import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReportedCheckpoints } from "../../src/coordinator/reported-checkpoints.ts";
import type { TrainingEvent } from "../../src/shared/events.ts";
import { checkpointOf } from "../support/checkpoints.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lockstep-reported-"));
});
afterEach(() => rmSync(root, { recursive: true }));

test("each failure is an event; people are told when it begins and when it is over", async () => {
  const folder = join(root, "checkpoints");
  const events: TrainingEvent[] = [];
  const reported = await ReportedCheckpoints.open({ folder, keep: 3, emit: (event) => events.push(event) });
  const save = async (step: number) => {
    reported.save(checkpointOf(step), { isEvaluated: false });
    await reported.settled();
    return events.splice(0);
  };
  const path = (step: number) => join(folder, `step-00000${step}.safetensors`);
  const [saved, ...more] = await save(1);
  const sizeBytes = statSync(path(1)).size;
  expect(saved).toEqual({ type: "checkpoint", path: path(1), step: 1, sizeBytes, durationMs: expect.any(Number) });
  expect(more).toEqual([]);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in the way");
  const [failed, warning] = await save(2);
  expect(failed).toMatchObject({ type: "checkpoint-failed", step: 2 });
  expect(warning).toMatchObject({ type: "warning", message: expect.stringContaining("step-000002") });
  expect(await save(3)).toMatchObject([{ type: "checkpoint-failed", step: 3 }]);
  rmSync(folder);
  expect(await save(4)).toMatchObject([
    { type: "checkpoint", path: path(4), step: 4 },
    { type: "warning", message: `checkpoints are written again: ${path(4)}` },
  ]);
  expect(await save(5)).toMatchObject([{ type: "checkpoint", path: path(5), step: 5 }]);
});

test("where the last one went is told, though failures were before", async () => {
  const folder = join(root, "checkpoints");
  writeFileSync(folder, "in the way");
  mkdirSync(join(root, "refuge"));
  const events: TrainingEvent[] = [];
  const options = { folder, keep: 3, emit: (event: TrainingEvent) => events.push(event), refuge: join(root, "refuge") };
  const reported = await ReportedCheckpoints.open(options);
  reported.save(checkpointOf(1), { isEvaluated: false });
  await reported.settled();
  events.length = 0;
  const path = await reported.saveLast(checkpointOf(2), { isEvaluated: false });
  expect(path.startsWith(join(root, "refuge"))).toBe(true);
  expect(events).toMatchObject([
    { type: "checkpoint-failed", step: 2 },
    { type: "warning", message: expect.stringContaining(path) },
  ]);
});

test("that the last one was lost is an event too, besides the error", async () => {
  const folder = join(root, "checkpoints");
  writeFileSync(folder, "in the way");
  const events: TrainingEvent[] = [];
  const options = { folder, keep: 3, emit: (event: TrainingEvent) => events.push(event), refuge: join(root, "none") };
  const reported = await ReportedCheckpoints.open(options);
  events.length = 0;
  const saving = reported.saveLast(checkpointOf(7), { isEvaluated: false });
  await expect(saving).rejects.toMatchObject({ code: "failed" });
  expect(events).toMatchObject([{ type: "checkpoint-failed", step: 7 }]);
});
