/** The demo page: what is drawn is judged by the network with the next frame. */

import { byId, setText } from "../../coordinator/live/page/dom.ts";
import { messageOf } from "../../shared/errors.ts";
import { AnswerView } from "./answer-view.ts";
import { BarsView } from "./bars-view.ts";
import { Board, type Drawing } from "./board.ts";
import { showCard } from "./card-view.ts";
import { showInput, showSamples } from "./images-view.ts";
import { KeyboardPen } from "./keyboard-pen.ts";
import { loadModel } from "./load-model.ts";
import type { Network, Recognition } from "./network.ts";
import type { PenListener } from "./pen.ts";
import { followPointer } from "./pointer-pen.ts";
import { Sketch } from "./sketch.ts";
import { Timing } from "./timing.ts";

interface Judge {
  readonly network: Network;
  readonly bars: BarsView;
  readonly answer: AnswerView;
}

const pad = byId("pad", HTMLCanvasElement);
const sheet = byId("sheet", HTMLCanvasElement);
const sketch = new Sketch();
const timing = new Timing();
const board = new Board(pad, sheet, changed);
/** An image of the test set that is shown instead of the sketch. */
let sample: { readonly pixels: Uint8Array; readonly label: number } | undefined;
let judge: Judge | undefined;
let isDue = false;
let isJudging = false;

const pen: PenListener = {
  begin: (point) => {
    sample = undefined;
    sketch.begin(point);
    changed();
  },
  extend: (points) => {
    for (const point of points) sketch.extend(point);
    changed();
  },
};
const keyboard = new KeyboardPen(pen);

/** Paints and judges with the next frame, once, however much is drawn until then. */
function changed(): void {
  if (!isDue) requestAnimationFrame(() => void frame().catch(fail));
  isDue = true;
}

async function frame(): Promise<void> {
  isDue = false;
  const drawing: Drawing =
    sample === undefined ? { type: "strokes", strokes: sketch.strokes } : { type: "stored", pixels: sample.pixels };
  const isEmpty = sample === undefined && sketch.isEmpty;
  board.paint(drawing, pad.matches(":focus-visible") ? keyboard.place : undefined);
  byId("hint", HTMLElement).hidden = !isEmpty;
  byId("undo", HTMLButtonElement).disabled = sample !== undefined || sketch.isEmpty;
  byId("clear", HTMLButtonElement).disabled = isEmpty;
  byId("save", HTMLButtonElement).disabled = sample !== undefined || sketch.isEmpty;
  if (judge === undefined) return;
  if (isJudging) return changed();
  isJudging = true;
  try {
    const label = sample?.label;
    const found = isEmpty ? undefined : await recognised(judge.network);
    showFound(judge, found, label);
  } finally {
    isJudging = false;
  }
}

function recognised(network: Network): Promise<Recognition> {
  return sample === undefined ? network.recognise(board.picture()) : network.recogniseStored(sample.pixels);
}

function showFound({ bars, answer }: Judge, found: Recognition | undefined, label: number | undefined): void {
  const isJudged = found !== undefined && found.blank === undefined;
  bars.show(isJudged ? found.probabilities : undefined);
  answer.show(isJudged ? { probabilities: found.probabilities, ...(label === undefined ? {} : { label }) } : undefined);
  byId("seen-figure", HTMLElement).dataset.state = isJudged ? "there" : "nothing";
  if (isJudged) showInput(found.prepared);
  setText("timing", isJudged ? timing.add(found) : "");
}

function clear(): void {
  sample = undefined;
  sketch.clear();
  keyboard.lift();
  changed();
}

function undo(): void {
  if (sample === undefined) sketch.undo();
  keyboard.lift();
  changed();
}

/** As a file that `lockstep predict` gives the same answer for. */
function save(): void {
  sheet.toBlob((blob) => {
    if (blob === null) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "digit.png";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

function fail(thrown: unknown): void {
  const problem = byId("problem", HTMLElement);
  problem.textContent = messageOf(thrown);
  problem.hidden = false;
}

followPointer(pad, pen);
pad.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && keyboard.take(event)) event.preventDefault();
});
pad.addEventListener("focus", changed);
pad.addEventListener("blur", () => {
  keyboard.lift();
  changed();
});
document.addEventListener("keydown", (event) => {
  const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
  if (isUndo) undo();
  else if (["Delete", "Backspace", "Escape"].includes(event.key)) clear();
  else return;
  event.preventDefault();
});
byId("clear", HTMLButtonElement).addEventListener("click", clear);
byId("undo", HTMLButtonElement).addEventListener("click", undo);
byId("save", HTMLButtonElement).addEventListener("click", save);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
changed();

try {
  const { card, network, samples } = await loadModel();
  showCard(card);
  judge = { network, bars: new BarsView(card.classNames), answer: new AnswerView(card.classNames) };
  showSamples({
    ...{ samples, names: card.classNames },
    onChoice: (pixels, label) => {
      sample = { pixels, label };
      sketch.clear();
      keyboard.lift();
      changed();
    },
  });
  document.body.dataset.state = "ready";
  changed();
} catch (thrown) {
  fail(thrown);
}
