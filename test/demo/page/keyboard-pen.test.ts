import { expect, test } from "vitest";
import { KeyboardPen } from "../../../src/demo/page/keyboard-pen.ts";
import type { Point } from "../../../src/demo/page/sketch.ts";

function penWith(drawn: string[]): KeyboardPen {
  const words = ({ x, y }: Point): string => `${x.toFixed(2)},${y.toFixed(2)}`;
  return new KeyboardPen({
    begin: (point) => drawn.push(`begin ${words(point)}`),
    extend: (points) => drawn.push(...points.map((point) => `to ${words(point)}`)),
  });
}

test("draws only while it is down, in strides, with the shift key in smaller ones", () => {
  const drawn: string[] = [];
  const pen = penWith(drawn);
  const press = (key: string, shiftKey = false): boolean => pen.take({ key, shiftKey });
  press("ArrowLeft");
  expect(drawn).toEqual([]);
  press(" ");
  press("ArrowDown");
  press("ArrowRight", true);
  press(" ");
  press("ArrowUp");
  expect(drawn).toEqual(["begin 0.46,0.25", "to 0.46,0.29", "to 0.47,0.29"]);
  press(" ");
  pen.lift();
  press("ArrowUp");
  expect(drawn.slice(3)).toEqual(["begin 0.47,0.25"]);
});

test("stays within the drawing area, and leaves other keys alone", () => {
  const drawn: string[] = [];
  const pen = penWith(drawn);
  for (let each = 0; each < 100; each++) pen.take({ key: "ArrowRight", shiftKey: false });
  expect(pen.place.x).toBe(1);
  expect(["Tab", "a", "Enter", "Escape"].map((key) => pen.take({ key, shiftKey: false }))).toEqual(
    Array(4).fill(false),
  );
  expect(drawn).toEqual([]);
});
