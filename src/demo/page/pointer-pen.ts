import type { PenListener } from "./pen.ts";
import type { Point } from "./sketch.ts";

/** Draws with the mouse, a finger or a pen: one at a time, so that a resting palm draws nothing. */
export function followPointer(canvas: HTMLCanvasElement, listener: PenListener): void {
  let drawing: number | undefined;
  canvas.addEventListener("pointerdown", (event) => {
    if (drawing !== undefined || !event.isPrimary || event.button !== 0) return;
    drawing = event.pointerId;
    // The line goes on, along the edge, where the pen leaves the drawing area.
    canvas.setPointerCapture(event.pointerId);
    listener.begin(placeOf(canvas, event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawing) return;
    // A browser tells of a move once a frame; where the pen was in between is in the event.
    const moves = event.getCoalescedEvents();
    listener.extend((moves.length === 0 ? [event] : moves).map((move) => placeOf(canvas, move)));
  });
  for (const name of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(name, (event) => {
      if (event.pointerId === drawing) drawing = undefined;
    });
  }
}

function placeOf(canvas: HTMLCanvasElement, { clientX, clientY }: PointerEvent): Point {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return { x: (clientX - left) / width, y: (clientY - top) / height };
}
