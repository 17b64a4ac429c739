import type { TrainingResult } from "../../shared/events.ts";
import { formatCount, formatPercent, formatPlural, formatSeconds } from "../../shared/format.ts";
import { shellWord } from "../../shared/shell-word.ts";
import type { Telling } from "./narrative.ts";

/** What a run comes to, as sentences for people. Pure. */

/** The line that stands for the result. */
export function finishedText(
  result: TrainingResult,
  testSamples: number,
): Pick<Telling, "text" | "isNews" | "isResult"> {
  const { interruptedBy, steps, testAccuracy } = result;
  if (interruptedBy) {
    return { text: `Interrupted by ${interruptedBy} after ${formatPlural(steps, "step")}`, isNews: true };
  }
  if (testAccuracy === null) return { text: `Done after ${formatPlural(steps, "step")}`, isNews: false };
  const text = `Accuracy of the network on the ${testSamples} test images: ${formatPercent(testAccuracy)}`;
  return { text, isNews: true, isResult: true };
}

/** What else there is to say of it, where any step was done. */
export function summaryOf(result: TrainingResult): string[] {
  const lines: string[] = [...qualityLines(result)];
  const before = result.resumedFrom ?? 0;
  if (result.steps > before) {
    const lost = result.workersLost > 0 ? `, ${result.workersLost} lost on the way` : "";
    const inAll = before > 0 ? ` (${formatCount(result.steps)} in all)` : "";
    lines.push(
      `Trained ${formatPlural(result.steps - before, "step")}${inAll} in ${formatSeconds(result.trainSeconds)}: ` +
        `${formatCount(result.samplesPerSecond)} images/s with ${formatPlural(result.workers, "worker")}${lost}, ` +
        `${result.engine} engine`,
    );
  }
  if (result.efficiency !== null) lines.push(result.efficiency.summary);
  if (result.checkpoint !== "") {
    lines.push(`Weights ${result.weightsSha256.slice(0, 16)} (SHA-256), checkpoint ${result.checkpoint}`);
    lines.push(`Evaluate them with: npx lockstep eval --checkpoint ${shellWord(result.checkpoint)}`);
  }
  return lines;
}

/** Which weights the accuracy is of, where these are not the last ones, and why there are no more. */
function qualityLines(result: TrainingResult): string[] {
  const { endedBy, interruptedBy, epochs, bestEpoch, validationAccuracy, runDir } = result;
  const lines: string[] = [];
  if (bestEpoch !== null && validationAccuracy !== null) {
    // The line of an interrupted run names no accuracy.
    const subject = interruptedBy === undefined ? "It is that of" : "The best so far is";
    lines.push(
      `${subject} epoch ${bestEpoch}, the best on the validation images with ${formatPercent(validationAccuracy)}: ` +
        `${runDir}/checkpoints/best`,
    );
  }
  if (endedBy === "time") lines.push(`Ended after ${formatPlural(epochs, "epoch")}: the time is up`);
  if (endedBy === "patience" && bestEpoch !== null) {
    const since = epochs - bestEpoch;
    const why = since === 1 ? "the last one was no better" : `none of the last ${since} epochs was better`;
    lines.push(`Ended after ${formatPlural(epochs, "epoch")}: ${why}`);
  }
  return lines;
}
