import { byId, setText } from "./dom.ts";
import { clockText, countText, lossText, percentText } from "./format.ts";
import type { LiveState, Phase } from "./protocol.ts";

const PHASE_WORDS: Record<Phase, string> = {
  starting: "Starting",
  waiting: "Waiting for workers",
  training: "Training",
  evaluating: "Evaluating",
  finished: "Finished",
  interrupted: "Interrupted",
  failed: "Failed",
};

/** Shows how far the run is, and its numbers. @param sinceMs time since the state was told */
export function showState(state: LiveState, sinceMs: number): void {
  const { run, phase, note, step, totalSteps, epoch, epochs, workersLost } = state;
  const isOver = phase === "finished" || phase === "interrupted" || phase === "failed";
  const share = totalSteps > 0 ? step / totalSteps : 0;
  const percent = `${Math.floor(share * 100)} %`;
  document.title = `${isOver ? PHASE_WORDS[phase] : percent} · ${run} · lockstep`;

  setText("run", run);
  setText("phase", PHASE_WORDS[phase]);
  byId("phase", HTMLElement).dataset.phase = phase;
  setText("note", note);
  byId("note", HTMLElement).hidden = note === "";

  byId("progress-bar", HTMLElement).style.width = `${share * 100}%`;
  const progress = byId("progress", HTMLElement);
  progress.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
  progress.setAttribute("aria-valuetext", `step ${countText(step)} of ${countText(totalSteps)}`);
  const isKnown = totalSteps > 0;
  setText("step", isKnown ? `${countText(step)} of ${countText(totalSteps)}` : "–");
  setText("epoch", isKnown ? `${countText(epoch)} of ${countText(epochs)}` : "–");
  setText("percent", isKnown ? percent : "–");
  const passedS = isOver || !isKnown ? 0 : sinceMs / 1000;
  setText("elapsed", isKnown ? clockText(state.elapsedSeconds + passedS) : "–");
  setText("eta", clockText(state.etaSeconds === null ? null : Math.max(0, state.etaSeconds - passedS)));

  setText("loss", lossText(state.loss));
  setText("loss-more", state.trainLoss === null ? "of the last batch" : `last epoch ${lossText(state.trainLoss)}`);
  showAccuracies(state);
  setText("speed", countText(state.samplesPerSecond));
  setText("speed-more", isOver ? "over the whole run" : "over the last 10 s");
  setText("workers-ready", countText(state.workers));
  const now = isOver ? "at the end" : "ready";
  setText("workers-more", workersLost > 0 ? `${now}; ${countText(workersLost)} lost on the way` : now);
}

function showAccuracies({ testAccuracy, validationAccuracy, bestEpoch }: LiveState): void {
  // A resumed run knows its best epoch before it has evaluated anything.
  const isValidated = validationAccuracy !== null || bestEpoch !== null;
  setText("accuracy", percentText(testAccuracy));
  const last = isValidated ? "in the last evaluation" : "";
  setText("accuracy-more", testAccuracy === null ? "known once an epoch is done" : last);
  byId("validation-tile", HTMLElement).hidden = !isValidated;
  setText("validation", percentText(validationAccuracy));
  setText("validation-more", bestEpoch === null ? "in the last evaluation" : `best epoch: ${countText(bestEpoch)}`);
}
