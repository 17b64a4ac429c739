import { expect, test } from "vitest";
import { conclude } from "../../src/coordinator/conclusion.ts";
import type { Outcome } from "../../src/coordinator/machine/types.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import type { TrainingResult } from "../../src/shared/events.ts";
import { finished } from "./training-events.ts";

/** Ends a run whose last checkpoint comes to this. @returns the result or the error, and what was told before */
async function end(outcome: Outcome, saveLast: () => Promise<string>) {
  const told: TrainingResult[] = [];
  const result = (checkpoint: string, ending: Pick<TrainingResult, "interruptedBy" | "endedBy">): TrainingResult => {
    const event = finished({ checkpoint, ...ending });
    return event.type === "finished" ? event.result : expect.fail();
  };
  const tell = (ended: TrainingResult): void => void told.push(ended);
  try {
    return { ended: await conclude(outcome, { checkpoints: { saveLast }, result, tell }), told };
  } catch (error) {
    return { error, told };
  }
}

const saved = () => Promise.resolve("step-1");

test("with its result and its checkpoint", async () => {
  const { ended, told } = await end({ type: "done" }, saved);
  expect(ended).toMatchObject({ checkpoint: "step-1" });
  expect(told).toEqual([ended]);
  const interrupted = await end({ type: "interrupted", signal: "SIGHUP" }, saved);
  expect(interrupted.ended).toMatchObject({ checkpoint: "step-1", interruptedBy: "SIGHUP" });
  const early = await end({ type: "done", early: "patience" }, saved);
  expect(early.ended).toMatchObject({ checkpoint: "step-1", endedBy: "patience" });
});

test("with the error, and where the weights are, when there are not enough workers", async () => {
  const outcome = { type: "not-enough-workers", message: "none left" } as const;
  const message = "none left; the weights so far are in step-1";
  expect((await end(outcome, saved)).error).toMatchObject({ code: "not-enough-workers", message });
  expect((await end(outcome, async () => "")).error).toMatchObject({ message: "none left" });
});

test("without touching checkpoints, when it has diverged", async () => {
  const { error } = await end({ type: "diverged", message: "too fast" }, () => expect.fail("was saved"));
  expect(error).toMatchObject({ code: "diverged", message: "too fast" });
});

test("with its result and then the error, when the last weights can be saved nowhere", async () => {
  const failure = new LockstepError("failed", "cannot write it");
  const { error, told } = await end({ type: "done" }, () => Promise.reject(failure));
  expect(error).toBe(failure);
  expect(told).toMatchObject([{ checkpoint: "" }]);
  const lost = await end({ type: "not-enough-workers", message: "none left" }, () => Promise.reject(failure));
  expect(lost.error).toMatchObject({ code: "not-enough-workers", message: "none left; cannot write it" });
});

test("as diverged, without a result, when the last weights are not finite", async () => {
  const failure = new LockstepError("diverged", "fc1.weight is not finite");
  expect(await end({ type: "done" }, () => Promise.reject(failure))).toEqual({ error: failure, told: [] });
});
