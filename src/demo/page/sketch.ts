/** What has been drawn: strokes of points. Pure. */

/** A place on the drawing area: 0 to 1 from the left and from the top. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** At least one point; a single one is a dot. */
export type Stroke = readonly Point[];

/** Nearer points than this add nothing to a line that is so many times as wide. */
const LEAST_DISTANCE = 0.003;

export class Sketch {
  #strokes: Point[][] = [];

  get strokes(): readonly Stroke[] {
    return this.#strokes;
  }

  get isEmpty(): boolean {
    return this.#strokes.length === 0;
  }

  begin(point: Point): void {
    this.#strokes.push([within(point)]);
  }

  /** Goes on with the last stroke. @returns whether that changed anything */
  extend(point: Point): boolean {
    const stroke = this.#strokes.at(-1);
    const last = stroke?.at(-1);
    if (stroke === undefined || last === undefined) return false;
    const next = within(point);
    if (Math.hypot(next.x - last.x, next.y - last.y) < LEAST_DISTANCE) return false;
    stroke.push(next);
    return true;
  }

  /** Takes the last stroke away. */
  undo(): void {
    this.#strokes.pop();
  }

  clear(): void {
    this.#strokes = [];
  }
}

function within({ x, y }: Point): Point {
  return { x: Math.min(Math.max(x, 0), 1), y: Math.min(Math.max(y, 0), 1) };
}
