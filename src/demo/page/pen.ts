import type { Point } from "./sketch.ts";

/** Follows a pen, whatever moves it. */
export interface PenListener {
  begin(point: Point): void;
  /** Goes on with the line that was begun. */
  extend(points: readonly Point[]): void;
}
