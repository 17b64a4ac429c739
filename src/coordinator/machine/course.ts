import type { Signal } from "../../shared/errors.ts";
import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import { readyMembers } from "../../shared/fleet/membership.ts";
import type { Draft } from "./draft.ts";
import type { BestEpoch, Evaluating, Outcome, Plan, Training } from "./types.ts";
import { type Board, newBoard, owes, owners } from "../../shared/fleet/work-board.ts";

/** The course of a run: steps, evaluations, the end. Part of the coordinator's machine. */

/** Takes up the run where it was left. */
export function begin(draft: Draft): void {
  const { stepsPerEpoch, start } = draft.state.plan;
  if (start.step === start.evaluatedEpochs * stepsPerEpoch) afterEvaluation(draft, start.step, start.evaluatedEpochs);
  else if (start.step % stepsPerEpoch === 0) beginEvaluation(draft, start.step);
  else beginStep(draft, start.step);
}

/** All chunks of an evaluation have been counted. */
export function evaluated(draft: Draft, { epoch, isAmidEpoch, version, correct }: Evaluating): void {
  if (isAmidEpoch) {
    draft.effects.push({ type: "end-evaluated", correct });
    finish(draft, { type: "done", early: "time" });
    return;
  }
  const { best, plan } = draft.state;
  const isBest = plan.validationChunks > 0 && correct.validation > (best?.correct ?? -1);
  if (isBest) draft.set({ best: { epoch, correct: correct.validation } });
  draft.effects.push({ type: "epoch-evaluated", epoch, correct, isBest });
  afterEvaluation(draft, version, epoch + 1);
}

/** @param epochs evaluated so far */
function afterEvaluation(draft: Draft, step: number, epochs: number): void {
  const { plan, best, isTimeUp } = draft.state;
  if (epochs >= plan.epochs) finish(draft, { type: "done" });
  else if (hasNoPatience(plan, epochs, best)) finish(draft, { type: "done", early: "patience" });
  else if (isTimeUp) finish(draft, { type: "done", early: "time" });
  else beginStep(draft, step);
}

/** Whether early stopping ends the run after so many epochs. */
export function hasNoPatience({ patience }: Pick<Plan, "patience">, epochs: number, best?: BestEpoch): boolean {
  return patience !== undefined && best !== undefined && epochs - (best.epoch + 1) >= patience;
}

function beginEvaluation(draft: Draft, version: number): void {
  const { plan } = draft.state;
  const board = newBoard(plan.evaluationChunks, ["count"] as const);
  const isAmidEpoch = version % plan.stepsPerEpoch !== 0;
  const epoch = Math.ceil(version / plan.stepsPerEpoch) - 1;
  const correct = { test: 0, validation: 0 };
  draft.set({ phase: { type: "evaluating", epoch, isAmidEpoch, version, board, correct } });
}

/** @param board the step's shards, where they were given out ahead */
function beginStep(draft: Draft, step: number, board = boardOf(draft.state.plan, step)): void {
  draft.set({ phase: { type: "training", step, board, ahead: undefined, nonFinite: [] } });
  draft.effects.push({ type: "begin-step", step, shardCount: board.items.length });
  for (const peer of owners(board)) draft.workBegins(peer);
}

/** All shards of a step, owned by nobody. */
export function boardOf({ shardsPerStep, shardsInLastStep, stepsPerEpoch }: Plan, step: number): Board<SliceName> {
  return newBoard((step + 1) % stepsPerEpoch === 0 ? shardsInLastStep : shardsPerStep, SLICE_NAMES);
}

export function commitStep(draft: Draft, { step, ahead }: Training): void {
  draft.effects.push({ type: "commit-step", step });
  draft.set({ stalls: 0 });
  const { plan, interruptedBy, isTimeUp } = draft.state;
  const done = step + 1;
  // Workers that were given the next step's work already cannot do anything else before it.
  const isLast = isTimeUp && ahead === undefined;
  if (interruptedBy !== undefined) {
    finish(draft, { type: "interrupted", signal: interruptedBy });
  } else if (done % plan.stepsPerEpoch === 0 || isLast) {
    beginEvaluation(draft, done);
  } else {
    beginStep(draft, done, ahead);
  }
}

export function finish(draft: Draft, outcome: Outcome): void {
  for (const { peer, session } of draft.state.members.values()) {
    draft.effects.push({ type: "stop", peer, session, reason: outcome.type });
  }
  draft.set({ phase: { type: "finished" }, members: new Map(), waiting: undefined });
  draft.effects.push({ type: "finish", outcome });
}

export function interrupt(draft: Draft, signal: Signal): void {
  if (draft.state.interruptedBy === undefined) draft.set({ interruptedBy: signal });
}

/** Where workers are missing at the end of the run's time, nobody is waited for, and nothing is evaluated any more. */
export function watchTime(draft: Draft): void {
  const { phase, isTimeUp, waiting, members, plan } = draft.state;
  if (!isTimeUp || waiting === undefined || phase.type === "finished") return;
  const ready = readyMembers(members).length;
  const message = `the run's time is up while it waits for workers: ${ready} of ${plan.minWorkers} ready`;
  finish(draft, { type: "not-enough-workers", message });
}

/** A step that is being computed is finished first; where nobody computes, there is nothing to wait for. */
export function watchInterrupt(draft: Draft): void {
  const { phase, interruptedBy, members } = draft.state;
  if (interruptedBy === undefined || phase.type === "finished") return;
  const computing =
    phase.type === "training" &&
    [...owners(phase.board)].some((peer) => members.get(peer)?.late === false && owes(phase.board, peer));
  if (!computing) finish(draft, { type: "interrupted", signal: interruptedBy });
}
