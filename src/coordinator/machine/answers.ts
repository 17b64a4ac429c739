import { type SliceName, SLICE_NAMES } from "../../shared/model/contribution.ts";
import type { WorkerMessage } from "../../shared/protocol/messages.ts";
import { shardsUnder } from "../../shared/reduction/tree.ts";
import { commitStep, evaluated, finish } from "./course.ts";
import type { Draft } from "./draft.ts";
import type { Training } from "./types.ts";
import { remove } from "./leaving.ts";
import { type Member, readyMembers } from "../../shared/fleet/membership.ts";
import { speedOf } from "../../shared/fleet/pace.ts";
import { deliver, isDelivered, judge, owedPart, owners } from "../../shared/fleet/work-board.ts";
import { giveAhead, sendParameters, takeBack } from "./work-distribution.ts";

/** Which answers count, and what follows from them. Part of the coordinator's machine. */

export function takeResult(
  draft: Draft,
  member: Member,
  message: Extract<WorkerMessage, { type: "result" }>,
  finite: boolean,
): void {
  const { phase } = draft.state;
  if (phase.type !== "training" || message.step !== phase.step) {
    draft.reject("stale-step");
    return;
  }
  const shards = shardsUnder(message.nodes, phase.board.items.length);
  const verdict = shards === undefined ? "not-owed" : judge(phase.board, member.peer, shards, message.slice);
  if (shards === undefined || verdict !== "owed") {
    draft.reject(verdict === "owed" ? "not-owed" : verdict);
    // Sums over others' shards too cannot be used, and no other answer for its own is to come: give those out again.
    const own = owedPart(phase.board, member.peer, shards ?? [], message.slice);
    takeBack(draft, own, member.peer);
    return;
  }
  if (!finite) {
    takeNonFinite(draft, phase, member, shards, message.slice);
    return;
  }
  const board = deliver(phase.board, shards, message.slice);
  draft.set({ phase: { ...phase, board } });
  draft.progress(
    member,
    message.slice === "conv" ? { speed: speedOf(member, message.spent, shards.length, draft.at) } : {},
  );
  draft.effects.push({ type: "accept", slice: message.slice, nodes: message.nodes });
  if (!isDelivered(board, message.slice)) return;
  const isWhole = SLICE_NAMES.every((slice) => isDelivered(board, slice));
  const { clipsGradient } = draft.state.plan;
  if (!clipsGradient) draft.effects.push({ type: "apply-slice", step: phase.step, slice: message.slice });
  else if (isWhole) {
    for (const slice of SLICE_NAMES) draft.effects.push({ type: "apply-slice", step: phase.step, slice });
  }
  if (isWhole) {
    // First of all what workers wait for.
    if (phase.ahead !== undefined && draft.state.interruptedBy === undefined) {
      for (const peer of owners(phase.ahead)) sendParameters(draft, peer, message.slice, phase.step + 1, false);
    }
    commitStep(draft, phase);
    return;
  }
  // The next step's work, and this slice of its parameters, travels while the rest of this one is being computed.
  if (!clipsGradient) giveAhead(draft, message.slice);
}

/** A device that computes such numbers so often, while others' are finite, has gone bad. */
const BAD_ANSWERS_FORGIVEN = 2;

/** A first answer that is not finite is computed again, elsewhere if possible: a device may have gone bad. */
function takeNonFinite(
  draft: Draft,
  phase: Training,
  member: Member,
  shards: readonly number[],
  slice: SliceName,
): void {
  draft.reject("not-finite");
  // Both slices of one computation may be bad: that is one bad answer, not two.
  const earlier = phase.nonFinite.find((bad) => bad.slice === slice && shards.includes(bad.shard));
  if (earlier !== undefined) {
    const by = earlier.worker === member.name ? `twice by ${member.name}` : `by ${earlier.worker} and ${member.name}`;
    const message = `the gradient of step ${phase.step + 1} is not finite (computed ${by}): the training has diverged; try a smaller --lr`;
    finish(draft, { type: "diverged", message });
    return;
  }
  const message = `${member.name} computed a gradient that is not finite at step ${phase.step + 1}: computing it again`;
  draft.report({ type: "warning", message });
  const nonFinite = [
    ...phase.nonFinite,
    ...shards.map((shard) => ({ shard, slice, worker: member.name, at: draft.at })),
  ];
  draft.set({ phase: { ...phase, nonFinite } });
  takeBack(draft, shards, member.peer);
  const badAnswers = member.badAnswers + 1;
  draft.progress(member, { badAnswers });
  if (badAnswers <= BAD_ANSWERS_FORGIVEN || readyMembers(draft.state.members).length < 2) return;
  const problem = `${badAnswers} of its gradients were not finite, while others' are: its device may be broken`;
  draft.effects.push({ type: "refuse", peer: member.peer, code: "unknown-session", message: problem });
  remove(draft, member.peer, problem, true);
}

export function takeEvaluated(
  draft: Draft,
  member: Member,
  message: Extract<WorkerMessage, { type: "evaluated" }>,
): void {
  const { phase } = draft.state;
  if (phase.type !== "evaluating" || message.version !== phase.version) {
    draft.reject("stale-step");
    return;
  }
  const verdict = judge(phase.board, member.peer, [message.chunk], "count");
  if (verdict !== "owed") {
    draft.reject(verdict);
    return;
  }
  const board = deliver(phase.board, [message.chunk], "count");
  const images = message.chunk < draft.state.plan.validationChunks ? "validation" : "test";
  const correct = { ...phase.correct, [images]: phase.correct[images] + message.correct };
  const counted = { ...phase, board, correct };
  draft.set({ phase: counted });
  draft.progress(member);
  if (isDelivered(board, "count")) evaluated(draft, counted);
}
