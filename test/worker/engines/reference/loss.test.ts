import { describe, expect, test } from "vitest";
import { crossEntropy } from "../../../../src/worker/engines/reference/loss.ts";
import { randomVector } from "../../../support/floats.ts";

const float64 = (length: number): Float64Array => new Float64Array(length);
const CLASSES = 10;

/** By the definition, on numbers for which exp neither overflows nor vanishes. */
function byDefinition(logits: Float64Array, labels: Uint8Array, globalCount: number, smoothing: number) {
  const dLogits = new Float64Array(logits.length);
  let lossSum = 0;
  for (const [image, label] of labels.entries()) {
    const row = [...logits.subarray(image * CLASSES, (image + 1) * CLASSES)];
    const whole = row.map(Math.exp).reduce((sum, value) => sum + value);
    for (const [k, logit] of row.entries()) {
      const target = (1 - smoothing) * Number(k === label) + smoothing / CLASSES;
      lossSum -= target * Math.log(Math.exp(logit) / whole);
      dLogits[image * CLASSES + k] = (Math.exp(logit) / whole - target) / globalCount;
    }
  }
  return { lossSum, dLogits };
}

test.each([0, 0.1, 0.5, 0.999])("with label smoothing %f it is what the definition says", (labelSmoothing) => {
  const logits = Float64Array.from(randomVector(7 * CLASSES, 3), (value) => value * 4);
  const labels = Uint8Array.of(0, 9, 4, 4, 1, 7, 2);
  const { lossSum, dLogits } = crossEntropy(logits, { labels, globalCount: 16, labelSmoothing }, float64);
  const expected = byDefinition(logits, labels, 16, labelSmoothing);
  expect(lossSum).toBeCloseTo(expected.lossSum, 10);
  for (const [i, value] of expected.dLogits.entries()) expect(dLogits[i]).toBeCloseTo(value, 14);
});

describe("smoothed by 0.1", () => {
  const smoothed = (logits: Float64Array) =>
    crossEntropy(logits, { labels: Uint8Array.of(3), globalCount: 1, labelSmoothing: 0.1 }, float64);

  test("equal logits cost ln 10, as without, and pull the label by 0.1 - 0.91", () => {
    const { lossSum, dLogits } = smoothed(new Float64Array(CLASSES).fill(5));
    expect(lossSum).toBeCloseTo(Math.log(10), 14);
    for (const [k, value] of dLogits.entries()) expect(value).toBeCloseTo(k === 3 ? 0.1 - 0.91 : 0.1 - 0.01, 14);
  });

  test("the least that a label can cost is its targets' entropy, where nothing pulls", () => {
    const best = new Float64Array(CLASSES).fill(Math.log(0.01));
    best[3] = Math.log(0.91);
    const { lossSum, dLogits } = smoothed(best);
    expect(lossSum).toBeCloseTo(-(0.91 * Math.log(0.91) + 9 * 0.01 * Math.log(0.01)), 14);
    for (const value of dLogits) expect(value).toBeCloseTo(0, 14);
  });
});

test("without smoothing a class that is out of the question costs nothing", () => {
  const logits = Float64Array.of(1, 1, ...Array.from({ length: 8 }, () => -Infinity));
  const { lossSum, dLogits, correct } = crossEntropy(logits, { labels: Uint8Array.of(0), globalCount: 1 }, float64);
  expect(lossSum).toBe(Math.log(2));
  expect([...dLogits]).toEqual([-0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(correct).toBe(1);
});
