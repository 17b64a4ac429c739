import { byId, setText } from "../../coordinator/live/page/dom.ts";
import { ranked } from "../../predict/probabilities.ts";
import { formatPercent } from "../../shared/format.ts";

/** With a smaller probability the likeliest class is no answer, as for `lockstep predict`. */
const FLAT = 0.5;
/** A screen reader is told once the drawing has rested for so long: not of every stroke's every pixel. */
const RESTING_MS = 700;

export interface Answer {
  readonly probabilities: Float64Array;
  /** What an image of the test set is said to be. */
  readonly label?: number;
}

/** What the network says, in words. */
export class AnswerView {
  readonly #names: readonly string[];
  #announcement: ReturnType<typeof setTimeout> | undefined;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** @param answer undefined where nothing is drawn */
  show(answer: Answer | undefined): void {
    const words = answer === undefined ? NOTHING : this.#wordsFor(answer);
    setText("class", words.name);
    setText("certainty", words.certainty);
    setText("truth", words.truth);
    const section = byId("answer", HTMLElement);
    section.dataset.state = words.state;
    byId("class", HTMLElement).classList.toggle("long", words.name.length > 2);
    clearTimeout(this.#announcement);
    this.#announcement = setTimeout(() => setText("announcement", words.spoken), RESTING_MS);
  }

  #wordsFor({ probabilities, label }: Answer): Words {
    const [best = 0, second = 0] = ranked(probabilities);
    const nameOf = (index: number): string => this.#names[index] ?? String(index);
    const withShare = (index: number): string => `${nameOf(index)} with ${formatPercent(probabilities[index] ?? 0)}`;
    const isSure = (probabilities[best] ?? 0) >= FLAT;
    const name = nameOf(best);
    const certainty = isSure
      ? `${formatPercent(probabilities[best] ?? 0)} sure`
      : `Not sure: ${withShare(best)}, ${withShare(second)}`;
    const truth =
      label === undefined ? "" : `The test set says ${nameOf(label)}: ${label === best ? "right" : "wrong"}`;
    const spoken = [isSure ? withShare(best) : certainty, truth].filter((part) => part !== "").join(". ");
    return { name, certainty, truth, spoken, state: isSure ? "sure" : "unsure" };
  }
}

interface Words {
  readonly name: string;
  readonly certainty: string;
  readonly truth: string;
  readonly spoken: string;
  readonly state: "nothing" | "sure" | "unsure";
}

const NOTHING: Words = {
  ...{ name: "", certainty: "Nothing is drawn yet.", truth: "", spoken: "Nothing is drawn.", state: "nothing" },
};
