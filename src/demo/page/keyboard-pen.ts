import type { PenListener } from "./pen.ts";
import type { Point } from "./sketch.ts";

/** How far a key moves the pen; with the shift key it is a quarter of that. */
const STRIDE = 0.04;

const DIRECTIONS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** A key that was pressed: what the pen needs of a KeyboardEvent. */
interface Key {
  readonly key: string;
  readonly shiftKey: boolean;
}

/** Draws with the keyboard: arrow keys move a pen, and the space bar sets it down and lifts it again. */
export class KeyboardPen {
  readonly #listener: PenListener;
  #place: Point = { x: 0.5, y: 0.25 };
  #isDown = false;

  constructor(listener: PenListener) {
    this.#listener = listener;
  }

  get place(): Point {
    return this.#place;
  }

  /** Also when the drawing area loses the keyboard, or is cleared. */
  lift(): void {
    this.#isDown = false;
  }

  /** @returns whether the key was one of the pen's */
  take({ key, shiftKey }: Key): boolean {
    if (key === " ") {
      this.#isDown = !this.#isDown;
      if (this.#isDown) this.#listener.begin(this.#place);
      return true;
    }
    const direction = DIRECTIONS[key];
    if (direction === undefined) return false;
    const stride = shiftKey ? STRIDE / 4 : STRIDE;
    const to = (from: number, way: number): number => Math.min(Math.max(from + way * stride, 0), 1);
    this.#place = { x: to(this.#place.x, direction.x), y: to(this.#place.y, direction.y) };
    this.#listener.extend(this.#isDown ? [this.#place] : []);
    return true;
  }
}
