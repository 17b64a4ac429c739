import { expect, test } from "vitest";
import { samplesPerStep, savedSamplesPerStep } from "../../src/shared/samples-per-step.ts";

test("a step has so many batches as are accumulated", () => {
  expect(samplesPerStep({ batchSize: 64, accumulate: 4 })).toBe(256);
  expect(savedSamplesPerStep({ batchSize: 64, accumulate: 4 })).toBe(256);
});

test("a configuration from before there was accumulation has one batch a step, and one without batches no size", () => {
  expect(savedSamplesPerStep({ batchSize: 64 })).toBe(64);
  expect(savedSamplesPerStep({ batchSize: "64" })).toBeUndefined();
  expect(savedSamplesPerStep({ batchSize: 64, accumulate: null })).toBeUndefined();
  expect(savedSamplesPerStep({})).toBeUndefined();
});
