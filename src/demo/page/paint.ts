import type { Stroke } from "./sketch.ts";

/** Width of the pen, as a share of the drawing area's side: MNIST's strokes are about as wide beside their digits. */
const PEN_WIDTH = 0.075;

/**
 * Draws strokes as smooth lines in the context's `strokeStyle`: through the midpoints between each two points, with the
 * points themselves pulling the line. All of it anew each time, so that the same strokes always make the same pixels.
 *
 * @param side of the square, in pixels
 */
export function paintStrokes(context: CanvasRenderingContext2D, strokes: readonly Stroke[], side: number): void {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.lineWidth = PEN_WIDTH * side;
  context.fillStyle = context.strokeStyle;
  for (const stroke of strokes) {
    const [first, ...rest] = stroke;
    if (first === undefined) continue;
    context.beginPath();
    if (rest.length === 0) {
      context.arc(first.x * side, first.y * side, context.lineWidth / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    context.moveTo(first.x * side, first.y * side);
    for (const [i, point] of rest.entries()) {
      const next = rest[i + 1];
      if (next === undefined) context.lineTo(point.x * side, point.y * side);
      else {
        const [midX, midY] = [((point.x + next.x) / 2) * side, ((point.y + next.y) / 2) * side];
        context.quadraticCurveTo(point.x * side, point.y * side, midX, midY);
      }
    }
    context.stroke();
  }
}

/** Draws an image of [28, 28] bytes over the whole square, its pixels as they are. @param rgb of full strength, 0 to 255 */
export function paintStored(
  context: CanvasRenderingContext2D,
  { pixels, side }: { readonly pixels: Uint8Array; readonly side: number },
  [red, green, blue]: readonly [number, number, number],
  target: number,
): void {
  const image = new ImageData(side, side);
  for (const [i, strength] of pixels.entries()) image.data.set([red, green, blue, strength], i * 4);
  const small = document.createElement("canvas");
  small.width = side;
  small.height = side;
  contextOf(small).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, target, target);
}

/** @throws Error where the browser has no canvas to draw on */
export function contextOf(
  canvas: HTMLCanvasElement,
  settings: CanvasRenderingContext2DSettings = {},
): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", settings);
  if (context === null) throw new Error("this browser cannot draw on a canvas");
  return context;
}
