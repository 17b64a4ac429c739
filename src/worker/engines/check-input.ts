import { LockstepError } from "../../shared/errors.ts";
import { CLASS_COUNT, IMAGE_SIZE, PARAMETER_COUNT, STATISTIC_COUNT } from "../../shared/model/lenet5.ts";
import type { EvaluationInput, Images, ShardInput } from "./engine.ts";

/** Checks that every engine makes alike, so that a wrong call fails with the same words whatever computes. */

/** @param start undefined for all parameters */
export function checkParameters(parameters: Float32Array, start: number | undefined, isLoaded: boolean): void {
  if (start === undefined) {
    checkLength("parameters", parameters, PARAMETER_COUNT, "the model's parameters in table order");
    return;
  }
  if (!isLoaded) throw notLoaded();
  if (!Number.isSafeInteger(start) || start < 0 || start + parameters.length > PARAMETER_COUNT) {
    const message = `${parameters.length} parameters from index ${start} on do not lie within the model's ${PARAMETER_COUNT}`;
    throw new LockstepError("usage", message);
  }
}

/** @returns images in the shard */
export function checkShard({ images, labels, globalCount, labelSmoothing = 0 }: ShardInput): number {
  const count = checkImages(images, labels);
  if (!Number.isSafeInteger(globalCount) || globalCount < count) {
    throw new LockstepError(
      "usage",
      `globalCount is ${globalCount}, but the shard alone has ${count} images: pass the number of samples in the whole global batch`,
    );
  }
  if (!Number.isFinite(labelSmoothing) || labelSmoothing < 0 || labelSmoothing >= 1) {
    throw new LockstepError(
      "usage",
      `labelSmoothing is ${labelSmoothing}: pass the share of each label that all classes get, from 0 to below 1`,
    );
  }
  const wrong = labels.findIndex((label) => label >= CLASS_COUNT);
  if (wrong !== -1) {
    throw new LockstepError(
      "usage",
      `label ${wrong} of the shard is ${labels[wrong]}: labels go from 0 to ${CLASS_COUNT - 1}`,
    );
  }
  return count;
}

/** @returns images in the batch */
export function checkEvaluation({ images, labels, runningMean, runningVar }: EvaluationInput): number {
  checkLength("runningMean", runningMean, STATISTIC_COUNT / 2, "one value for each channel of bn1, then bn2");
  checkLength("runningVar", runningVar, STATISTIC_COUNT / 2, "one value for each channel of bn1, then bn2");
  return checkImages(images, labels);
}

export function notLoaded(): LockstepError {
  return new LockstepError("usage", "the engine has no parameters: call load() first");
}

function checkImages(images: Images, labels: Uint8Array): number {
  if (labels.length === 0) throw new LockstepError("usage", "there are no labels: pass one image or more");
  const expected = labels.length * IMAGE_SIZE;
  const what = `${IMAGE_SIZE} pixels for each of ${labels.length} labels`;
  if (!(images instanceof Uint8Array)) checkLength("images", images, expected, what);
  else if (images.length !== expected) {
    throw new LockstepError("usage", `images has ${images.length} bytes, expected ${expected} (${what})`);
  }
  return labels.length;
}

function checkLength(name: string, array: Float32Array, expected: number, what: string): void {
  if (!(array instanceof Float32Array) || array.length !== expected) {
    const found = array instanceof Float32Array ? `has ${array.length} values` : "is not a Float32Array";
    throw new LockstepError("usage", `${name} ${found}, expected ${expected} (${what})`);
  }
}
