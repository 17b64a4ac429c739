import { expect, test } from "vitest";
import { Confusion } from "../../src/report/confusion.ts";

function confusionOf(...pairs: [label: number, prediction: number, times: number][]): Confusion {
  const confusion = new Confusion();
  for (const [label, prediction, times] of pairs) for (let i = 0; i < times; i++) confusion.add(label, prediction);
  return confusion;
}

test("counts hits and mistakes, by class", () => {
  const confusion = confusionOf([3, 3, 8], [3, 5, 1], [3, 8, 1], [5, 5, 4], [5, 3, 4], [8, 3, 2]);
  expect([confusion.total, confusion.errors]).toEqual([20, 8]);
  expect([confusion.labelled(3), confusion.predicted(3)]).toEqual([10, 14]);
  expect([confusion.recall(3), confusion.precision(3)]).toEqual([0.8, 8 / 14]);
  expect([confusion.recall(8), confusion.precision(8)]).toEqual([0, 0]);
});

test("knows nothing of classes that do not occur", () => {
  const confusion = confusionOf([1, 1, 1]);
  expect([confusion.recall(0), confusion.precision(0), confusion.mistakenFor(1)]).toEqual([null, null, undefined]);
});

test("names the first of what a class was most often taken for", () => {
  expect(confusionOf([4, 4, 9], [4, 7, 1], [4, 9, 2], [4, 8, 2]).mistakenFor(4)).toBe(8);
});
