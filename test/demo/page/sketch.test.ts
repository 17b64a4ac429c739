import { expect, test } from "vitest";
import { Sketch } from "../../../src/demo/page/sketch.ts";

test("strokes are what was drawn, within the drawing area, without points that add nothing", () => {
  const sketch = new Sketch();
  expect(sketch.extend({ x: 0.1, y: 0.1 })).toBe(false);
  sketch.begin({ x: -3, y: 0.5 });
  expect(sketch.extend({ x: 0.001, y: 0.5 })).toBe(false);
  expect(sketch.extend({ x: 0.5, y: 7 })).toBe(true);
  sketch.begin({ x: 0.2, y: 0.2 });
  expect(sketch.strokes).toEqual([
    [
      { x: 0, y: 0.5 },
      { x: 0.5, y: 1 },
    ],
    [{ x: 0.2, y: 0.2 }],
  ]);
});

test("the last stroke can be taken back, and all of them", () => {
  const sketch = new Sketch();
  sketch.begin({ x: 0.1, y: 0.1 });
  sketch.begin({ x: 0.2, y: 0.2 });
  sketch.undo();
  expect(sketch.strokes).toEqual([[{ x: 0.1, y: 0.1 }]]);
  sketch.begin({ x: 0.3, y: 0.3 });
  sketch.clear();
  expect(sketch.isEmpty).toBe(true);
  sketch.undo();
  expect(sketch.isEmpty).toBe(true);
});
