/** What there is to say of a run's accuracy and its end, in sentences. Pure. */

import { countText, percentText } from "./format.ts";
import type { LiveResult, LiveState } from "./protocol.ts";

/** Which weights the accuracy is of, where these need not be the last ones, and why there are no more epochs. */
export function endSentences(result: LiveResult, { epochs, totalSteps }: LiveState): string[] {
  return [...weightsSentences(result), ...earlySentences(result, epochs, totalSteps)];
}

function weightsSentences({ bestEpoch, validationAccuracy, endedBy, epochs }: LiveResult): string[] {
  if (validationAccuracy === null) return [];
  const accuracy = percentText(validationAccuracy);
  if (bestEpoch !== null) {
    return [
      `The accuracy is that of epoch ${countText(bestEpoch)}, the best on the validation images with ${accuracy}.`,
    ];
  }
  return endedBy === "time" && epochs > 0
    ? [`The accuracy is that of the last weights, better on the validation images than any epoch's with ${accuracy}.`]
    : [];
}

function earlySentences({ endedBy, epochs, steps, bestEpoch }: LiveResult, all: number, allSteps: number): string[] {
  switch (endedBy) {
    case null:
      return [];
    case "patience": {
      const since = epochs - (bestEpoch ?? epochs);
      const why = since === 1 ? "the last one was no better" : `none of the last ${countText(since)} was better`;
      return [`The run ended after ${countText(epochs)} of ${plural(all, "epoch")}: ${why}.`];
    }
    case "time":
      return [
        `The run ended after ${countText(steps)} of ${plural(allSteps, "step")}: its time was up. It can be resumed.`,
      ];
    default:
      return endedBy satisfies never;
  }
}

function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}
