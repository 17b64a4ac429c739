import { byId, create, setText } from "./dom.ts";
import { clockText, countText, lossText, percentText } from "./format.ts";
import type { End, LiveResult } from "./protocol.ts";
import { endSentences } from "./result-text.ts";

/** Shows what the run came to, or why it came to nothing. */
export function showResult({ state, result }: End): void {
  const section = byId("result", HTMLElement);
  section.hidden = false;
  section.dataset.phase = state.phase;
  setText("result-title", titleOf({ state, result }));
  const end = result === null ? "" : endSentences(result, state).join(" ");
  setText("result-end", end);
  byId("result-end", HTMLElement).hidden = end === "";
  const limit = result === null ? state.note : result.limit;
  setText("result-limit", limit);
  byId("result-limit", HTMLElement).hidden = limit === "" || limit === byId("note", HTMLElement).textContent;
  const facts = result === null ? [] : factsOf(result);
  byId("result-facts", HTMLElement).replaceChildren(
    ...facts.map(([name, value, isWide]) =>
      create(
        "div",
        { attributes: isWide ? { class: "wide" } : {} },
        create("dt", { text: name }),
        create("dd", { text: value }),
      ),
    ),
  );
}

/** Takes the result of an earlier run away. */
export function hideResult(): void {
  byId("result", HTMLElement).hidden = true;
}

function titleOf({ state, result }: End): string {
  if (result === null) return state.phase === "failed" ? "The run failed" : "The run has ended";
  const how = state.phase === "interrupted" ? "Interrupted" : "Finished";
  return result.testAccuracy === null ? how : `${how} with ${percentText(result.testAccuracy)} test accuracy`;
}

function factsOf(result: LiveResult): (readonly [name: string, value: string, isWide?: boolean])[] {
  const { steps, trainSeconds, samplesPerSecond, engine, samplesLost, samplesRepeated } = result;
  const last = result.bestCheckpoint === "" ? "" : "last ";
  return [
    ["Train loss of the last epoch", lossText(result.trainLoss)],
    ["Steps", countText(steps)],
    ["Training took", clockText(trainSeconds)],
    ["Images a second", countText(samplesPerSecond)],
    ["Engine", engine],
    ["Samples lost and repeated", `${countText(samplesLost)} and ${countText(samplesRepeated)}`],
    [`SHA-256 of the ${last}weights`, result.weightsSha256, true],
    ...(result.checkpoint === "" ? [] : [["Checkpoint", result.checkpoint, true] as const]),
    ...(result.bestCheckpoint === "" ? [] : [["Checkpoint of the best epoch", result.bestCheckpoint, true] as const]),
  ];
}
