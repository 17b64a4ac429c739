import type { Signal } from "../../shared/errors.ts";
import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import type { Draft } from "./draft.ts";
import type { Outcome, Plan, Training } from "./types.ts";
import { type Board, newBoard, owes, owners } from "../../shared/fleet/work-board.ts";

/** The course of a run: steps, evaluations, the end. Part of the coordinator's machine. */

/** Takes up the run where it was left. */
export function begin(draft: Draft): void {
  const { stepsPerEpoch, start } = draft.state.plan;
  if (start.step === start.evaluatedEpochs * stepsPerEpoch) afterEvaluation(draft, start.step, start.evaluatedEpochs);
  else if (start.step % stepsPerEpoch === 0) beginEvaluation(draft, start.step);
  else beginStep(draft, start.step);
}

/** @param epochs evaluated so far */
export function afterEvaluation(draft: Draft, step: number, epochs: number): void {
  if (epochs >= draft.state.plan.epochs) finish(draft, { type: "done" });
  else beginStep(draft, step);
}

function beginEvaluation(draft: Draft, version: number): void {
  const { plan } = draft.state;
  const board = newBoard(plan.evaluationChunks, ["count"] as const);
  const epoch = version / plan.stepsPerEpoch - 1;
  draft.set({ phase: { type: "evaluating", epoch, version, board, correct: 0 } });
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
  const { plan, interruptedBy } = draft.state;
  const done = step + 1;
  if (interruptedBy !== undefined) {
    finish(draft, { type: "interrupted", signal: interruptedBy });
  } else if (done % plan.stepsPerEpoch === 0) {
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

/** A step that is being computed is finished first; where nobody computes, there is nothing to wait for. */
export function watchInterrupt(draft: Draft): void {
  const { phase, interruptedBy, members } = draft.state;
  if (interruptedBy === undefined || phase.type === "finished") return;
  const computing =
    phase.type === "training" &&
    [...owners(phase.board)].some((peer) => members.get(peer)?.late === false && owes(phase.board, peer));
  if (!computing) finish(draft, { type: "interrupted", signal: interruptedBy });
}
