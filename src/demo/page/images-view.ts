import { byId, create } from "../../coordinator/live/page/dom.ts";
import { STORED_SIDE, STORED_SIZE } from "../../shared/data/idx.ts";
import { resize } from "../../shared/data/preprocess.ts";
import { IMAGE_SIDE, IMAGE_SIZE } from "../../shared/model/lenet5.ts";
import { contextOf } from "./paint.ts";

/** Images as the network knows them, light on dark, pixel by pixel. */

const input = new Uint8Array(IMAGE_SIZE);

/** Shows the network's input, [32, 32], that becomes of an image of [28, 28] bytes. */
export function showInput(prepared: Uint8Array): void {
  resize(prepared, 0, input, 0);
  paintGrey(byId("seen", HTMLCanvasElement), input, IMAGE_SIDE);
}

export interface Samples {
  /** [n, 28, 28] bytes. */
  readonly pixels: Uint8Array;
  /** [n] */
  readonly labels: readonly number[];
}

export interface SamplesViewOptions {
  readonly samples: Samples;
  readonly names: readonly string[];
  readonly onChoice: (pixels: Uint8Array, label: number) => void;
}

/** Images of the test set, a few at a time: one of each class. */
export function showSamples({ samples, names, onChoice }: SamplesViewOptions): void {
  const { pixels, labels } = samples;
  byId("samples", HTMLElement).hidden = labels.length === 0;
  let first = 0;
  const show = (): void => {
    const shown = labels.slice(first, first + names.length);
    const buttons = shown.map((label, i) => {
      const start = (first + i) * STORED_SIZE;
      const image = pixels.subarray(start, start + STORED_SIZE);
      const canvas = create("canvas", { attributes: { "aria-hidden": "true" } });
      paintGrey(canvas, image, STORED_SIDE);
      const name = `Test image of ${names[label] ?? label}`;
      const button = create("button", { attributes: { type: "button", title: name, "aria-label": name } }, canvas);
      button.addEventListener("click", () => onChoice(image, label));
      return button;
    });
    byId("sample-list", HTMLElement).replaceChildren(...buttons);
  };
  const others = byId("others", HTMLButtonElement);
  others.hidden = labels.length <= names.length;
  others.addEventListener("click", () => {
    first = first + names.length < labels.length ? first + names.length : 0;
    show();
  });
  show();
}

function paintGrey(canvas: HTMLCanvasElement, values: Uint8Array, side: number): void {
  const image = new ImageData(side, side);
  for (const [i, value] of values.entries()) image.data.set([value, value, value, 255], i * 4);
  if (canvas.width !== side) canvas.width = side;
  if (canvas.height !== side) canvas.height = side;
  contextOf(canvas).putImageData(image, 0, 0);
}
