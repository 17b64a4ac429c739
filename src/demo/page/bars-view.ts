import { byId, create } from "../../coordinator/live/page/dom.ts";
import { formatPercent } from "../../shared/format.ts";

interface Bar {
  readonly row: HTMLElement;
  readonly fill: HTMLElement;
  readonly value: HTMLElement;
}

/** The ten probabilities as bars. */
export class BarsView {
  readonly #bars: readonly Bar[];

  constructor(names: readonly string[]) {
    this.#bars = names.map((name) => {
      const fill = create("span", { attributes: { class: "fill" } });
      const value = create("span", { attributes: { class: "value" } });
      const track = create("span", { attributes: { class: "track" } }, fill);
      const row = create("li", {}, create("span", { text: name, attributes: { class: "name" } }), track, value);
      return { row, fill, value };
    });
    byId("bars", HTMLElement).replaceChildren(...this.#bars.map(({ row }) => row));
    this.show(undefined);
  }

  /** @param probabilities [10], or undefined where there is nothing to judge */
  show(probabilities: Float64Array | undefined): void {
    const best = probabilities === undefined ? -1 : probabilities.indexOf(Math.max(...probabilities));
    for (const [i, { row, fill, value }] of this.#bars.entries()) {
      const probability = probabilities?.[i];
      row.classList.toggle("best", i === best);
      // To the last bit, for whoever compares.
      if (probability === undefined) delete row.dataset.probability;
      else row.dataset.probability = String(probability);
      fill.style.transform = `scaleX(${probability ?? 0})`;
      value.textContent = probability === undefined ? "–" : formatPercent(probability);
    }
  }
}
