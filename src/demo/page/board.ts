import { contextOf, paintStored, paintStrokes } from "./paint.ts";
import { STORED_SIDE } from "../../shared/data/idx.ts";
import type { Picture } from "./network.ts";
import type { Point, Stroke } from "./sketch.ts";

/** What is on the drawing area: strokes, or an image of [28, 28] bytes. */
export type Drawing =
  | { readonly type: "strokes"; readonly strokes: readonly Stroke[] }
  | { readonly type: "stored"; readonly pixels: Uint8Array };

/**
 * The drawing area. The canvas on the screen has the screen's resolution and colours; what the network gets is drawn again
 * on a sheet that is the same everywhere, black on white.
 */
export class Board {
  readonly #screen: HTMLCanvasElement;
  readonly #sheet: HTMLCanvasElement;
  readonly #screenContext: CanvasRenderingContext2D;
  readonly #sheetContext: CanvasRenderingContext2D;

  /** @param onResize called when the screen's canvas has become empty and is to be painted again */
  constructor(screen: HTMLCanvasElement, sheet: HTMLCanvasElement, onResize: () => void) {
    this.#screen = screen;
    this.#sheet = sheet;
    this.#screenContext = contextOf(screen);
    // It is read after every change: the graphics card would only be in the way.
    this.#sheetContext = contextOf(sheet, { willReadFrequently: true, alpha: false });
    new ResizeObserver(() => {
      const side = Math.round(screen.clientWidth * devicePixelRatio);
      if (side === 0 || side === screen.width) return;
      screen.width = side;
      screen.height = side;
      onResize();
    }).observe(screen);
  }

  /** @param pen where a pen that is moved with the keyboard is */
  paint(drawing: Drawing, pen: Point | undefined): void {
    const [context, side] = [this.#screenContext, this.#screen.width];
    const { color } = getComputedStyle(this.#screen);
    context.clearRect(0, 0, side, side);
    context.strokeStyle = color;
    if (drawing.type === "strokes") {
      paintStrokes(context, drawing.strokes, side);
      this.#paintSheet(drawing.strokes);
    } else {
      paintStored(context, { pixels: drawing.pixels, side: STORED_SIDE }, channels(color), side);
    }
    if (pen !== undefined) this.#paintPen(pen);
  }

  /** What the network gets of the last strokes that were painted. */
  picture(): Picture {
    return this.#sheetContext.getImageData(0, 0, this.#sheet.width, this.#sheet.height);
  }

  #paintSheet(strokes: readonly Stroke[]): void {
    const { width } = this.#sheet;
    this.#sheetContext.fillStyle = "#fff";
    this.#sheetContext.fillRect(0, 0, width, width);
    this.#sheetContext.strokeStyle = "#000";
    paintStrokes(this.#sheetContext, strokes, width);
  }

  #paintPen({ x, y }: Point): void {
    const [context, side] = [this.#screenContext, this.#screen.width];
    context.lineWidth = Math.max(2, side / 150);
    context.strokeStyle = getComputedStyle(this.#screen).outlineColor;
    context.beginPath();
    context.arc(x * side, y * side, side / 22, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Of a computed colour, `rgb(23, 32, 42)`. */
function channels(colour: string): readonly [number, number, number] {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return [red, green, blue];
}
