import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { firstMaximumGradient } from "../../../../src/worker/engines/tensorflow/first-maximum-gradient.ts";

await import("@tensorflow/tfjs-backend-cpu");

beforeAll(() => tf.setBackend("cpu"));

test("each window's gradient goes to its largest pixel, the first of equal ones, in each channel for itself", () => {
  const firstChannel = [
    [1, 5, 2, 2],
    [3, 4, 2, 2],
    [-1, -1, 0, 7],
    [-1, 0, 7, 7],
  ];
  const x = tf.tensor4d(
    firstChannel.flat().flatMap((value) => [value, -value]),
    [1, 4, 4, 2],
  );
  const y = tf.maxPool(x, 2, 2, "valid");
  const dy = tf.tensor4d([10, 1, 20, 2, 30, 3, 40, 4], [1, 2, 2, 2]);
  const dx = firstMaximumGradient(tf)(dy, x, y);
  const channel = (index: number): unknown => tf.squeeze(tf.slice(dx, [0, 0, 0, index], [1, 4, 4, 1])).arraySync();
  expect(channel(0)).toEqual([
    [0, 10, 20, 0],
    [0, 0, 0, 0],
    [0, 0, 0, 40],
    [0, 30, 0, 0],
  ]);
  expect(channel(1)).toEqual([
    [1, 0, 2, 0],
    [0, 0, 0, 0],
    [3, 0, 4, 0],
    [0, 0, 0, 0],
  ]);
});
