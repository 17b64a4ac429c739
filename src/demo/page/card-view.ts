import { setText } from "../../coordinator/live/page/dom.ts";
import { formatCount, formatPercent } from "../../shared/format.ts";
import type { ModelCard } from "./model-card.ts";

/** Says where the weights are from. */
export function showCard(card: ModelCard): void {
  const areDigits = card.classNames.every((name, digit) => name === String(digit));
  if (!areDigits) setText("title", "Draw, and see what it is taken for");
  setText("run", card.run ?? card.checkpoint);
  setText("step", formatCount(card.step));
  setText("epoch", formatCount(card.epoch));
  setText("accuracy", card.testAccuracy === null ? "not measured" : formatPercent(card.testAccuracy));
  setText("weights", card.weightsSha256.slice(0, 16));
}
