import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LockstepError } from "../../src/shared/errors.ts";
import { NORMALISED } from "../../src/shared/data/preprocess.ts";
import { tensor } from "../../src/shared/model/lenet5.ts";
import type { Engine, ShardGradient, ShardInput } from "../../src/worker/engines/engine.ts";
import { worstDifference } from "../../src/worker/engines/worst-difference.ts";
import { GOLDEN_CASES, type Golden, makeCase, readGolden, signOf } from "../golden/golden.ts";

export interface EngineUnderTest {
  readonly create: () => Promise<Engine>;
  /** Largest error allowed: for gradients relative to the tensor's largest value, for logits absolute. */
  readonly tolerance: number;
  /** Whether the same call gives the same bits. */
  readonly deterministic: boolean;
  /** Whether an image's logits are the same bits in whatever batch it sits. */
  readonly batchInvariant: boolean;
  /** Why the engine cannot be tested here: its tests are skipped, and say so. */
  readonly missing?: string | undefined;
}

const DENSE_START = tensor("fc1.weight").offset;

/** Everything that every engine must do. */
export function engineCompliance(name: string, engineUnderTest: EngineUnderTest): void {
  const { create, tolerance, deterministic, batchInvariant, missing } = engineUnderTest;
  describe.skipIf(missing !== undefined)(`${name} engine${missing === undefined ? "" : ` (${missing})`}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine.dispose());

    describe.each(GOLDEN_CASES)("agrees with PyTorch: %s", (caseName) => {
      let golden: Golden;
      beforeAll(() => {
        golden = readGolden(caseName);
        engine.load(golden.parameters);
      });

      test("loss, correct count and batch statistics", async () => {
        const result = await engine.gradients(golden.shard);
        expect(Math.abs(result.lossSum - golden.lossSum)).toBeLessThan(tolerance * golden.lossSum);
        expect(result.correct).toBe(golden.correct);
        expect(largestDifference(result.batchMean, golden.batchMean)).toBeLessThan(tolerance);
        expect(largestDifference(result.batchVar, golden.batchVar)).toBeLessThan(tolerance * largest(golden.batchVar));
      });

      test("gradient", async () => {
        const { gradient } = await engine.gradients(golden.shard);
        for (const [tensorName, expected] of golden.gradients) {
          const { offset, size } = tensor(tensorName);
          const found = gradient.subarray(offset, offset + size);
          // The true gradient of a convolution's bias is 0 (batch normalisation removes it): what PyTorch stores is
          // rounding noise, to be measured against the weights beside it.
          const isZero = /^conv.\.bias$/.test(tensorName);
          const scale = golden.gradients.get(isZero ? tensorName.replace("bias", "weight") : tensorName)!;
          const values = expected.values.map((_, i) => found[i * expected.stride]!);
          expect(largestDifference(values, expected.values), tensorName).toBeLessThan(tolerance * scale.largest);
          for (const [sum, expectedSum] of expected.signedSums.entries()) {
            const sign = signOf(golden.seed, sum);
            const foundSum = found.reduce((total, value, i) => total + sign(i) * value, 0);
            expect(Math.abs(foundSum - expectedSum), `${tensorName}, signed sum ${sum}`).toBeLessThan(
              tolerance * (isZero ? scale.largest * Math.sqrt(size) : Math.max(expected.norm, scale.largest)) * 4,
            );
          }
        }
      });

      test("logits with running statistics", async () => {
        const { logits } = await engine.evaluate(golden.evaluation);
        expect(logits.length).toBe(golden.evaluatedLogits.length);
        expect(largestDifference(logits, golden.evaluatedLogits)).toBeLessThan(tolerance);
      });
    });

    test.each(deterministic ? ["deterministic"] : [])(
      "%s: gives the same bits in another instance, and after shards of other sizes",
      async () => {
        const { parameters, shard } = makeCase(11, 21);
        const fresh = await create();
        fresh.load(parameters);
        engine.load(parameters);
        for (const count of [64, 1, 33, 3]) await engine.gradients(makeCase(12, count).shard);
        for (const count of [1, 2, 3, 4, 5, 7, 9, 12, 21]) {
          const part = firstImages(shard, count);
          const expected = copyOf(await fresh.gradients(part));
          const found = await engine.gradients(part);
          expect(sameBits(found.gradient, expected.gradient), `gradient of ${count} images`).toBe(true);
          expect(sameBits(found.batchMean, expected.batchMean)).toBe(true);
          expect(sameBits(found.batchVar, expected.batchVar)).toBe(true);
          expect([found.lossSum, found.correct]).toEqual([expected.lossSum, expected.correct]);
          await engine.gradients(firstImages(makeCase(13, 40).shard, 40 - count));
        }
        await fresh.dispose();
      },
    );

    test.each(batchInvariant ? ["batch invariant"] : [])(
      "%s: evaluates an image to the same bits in whatever batch it sits",
      async () => {
        const { parameters, evaluation } = makeCase(14, 21);
        engine.load(parameters);
        const all = (await engine.evaluate(evaluation)).logits.slice();
        for (const [start, end] of [
          [0, 1],
          [1, 2],
          [3, 8],
          [5, 21],
          [20, 21],
          [2, 15],
        ] as const) {
          const images = evaluation.images.subarray(start * 1024, end * 1024);
          const labels = evaluation.labels.subarray(start, end);
          const { logits } = await engine.evaluate({ ...evaluation, images, labels });
          expect(sameBits(logits, all.subarray(start * 10, end * 10)), `images ${start} to ${end}`).toBe(true);
        }
      },
    );

    test("divides by the global count, not by the shard's size", async () => {
      const { parameters, shard } = makeCase(15, 6);
      engine.load(parameters);
      const whole = copyOf(await engine.gradients(shard));
      const half = await engine.gradients({ ...shard, globalCount: 12 });
      const doubled = half.gradient.map((value) => value * 2);
      expect(largestDifference(doubled, whole.gradient)).toBeLessThan(tolerance * largest(whole.gradient));
      expect(half.lossSum).toBeCloseTo(whole.lossSum, 5);
    });

    test.each(deterministic ? ["deterministic"] : [])(
      "%s: without smoothing computes the same bits as with smoothing 0, also after a smoothed shard",
      async () => {
        const { parameters, shard } = makeCase(23, 5, 8);
        engine.load(parameters);
        const expected = copyOf(await engine.gradients(shard));
        const smoothed = copyOf(await engine.gradients({ ...shard, labelSmoothing: 0.5 }));
        expect(sameBits(smoothed.gradient, expected.gradient)).toBe(false);
        for (const again of [shard, { ...shard, labelSmoothing: 0 }]) {
          const found = await engine.gradients(again);
          expect(sameBits(found.gradient, expected.gradient)).toBe(true);
          expect([found.lossSum, found.correct]).toEqual([expected.lossSum, expected.correct]);
        }
      },
    );

    test.each([0.1, 0.9])(
      "with smoothing %f each class is a tenth of that share of the label",
      async (labelSmoothing) => {
        const { parameters, shard } = makeCase(24, 3, 4);
        engine.load(parameters);
        // Loss and gradient are linear in the targets: parts that need no smoothing, weighted in float64.
        const gradient = new Float64Array(parameters.length);
        let lossSum = 0;
        const add = async (labels: Uint8Array, share: number): Promise<ShardGradient> => {
          const part = await engine.gradients({ ...shard, labels });
          for (const [i, value] of part.gradient.entries()) gradient[i] = gradient[i]! + share * value;
          lossSum += share * part.lossSum;
          return part;
        };
        for (let k = 0; k < 10; k++)
          await add(
            shard.labels.map(() => k),
            labelSmoothing / 10,
          );
        const { correct } = await add(shard.labels, 1 - labelSmoothing);

        const found = await engine.gradients({ ...shard, labelSmoothing });
        expect(found.correct).toBe(correct);
        expect(Math.abs(found.lossSum - lossSum)).toBeLessThan(tolerance * lossSum);
        const { tensor: worst, relative } = worstDifference(Float32Array.from(gradient), found.gradient);
        expect(relative, worst).toBeLessThan(tolerance);
      },
    );

    test("calls denseFinal at most once, with the final values of all but the convolutions' gradient", async () => {
      const { parameters, shard } = makeCase(16, 10);
      engine.load(parameters);
      const seen: ShardGradient[] = [];
      const result = await engine.gradients(shard, (partial) => seen.push(copyOf(partial)));
      expect(seen.length).toBeLessThanOrEqual(1);
      for (const partial of seen) {
        expect(sameBits(partial.gradient.subarray(DENSE_START), result.gradient.subarray(DENSE_START))).toBe(true);
        expect(sameBits(partial.batchMean, result.batchMean)).toBe(true);
        expect(sameBits(partial.batchVar, result.batchVar)).toBe(true);
        expect([partial.lossSum, partial.correct]).toEqual([result.lossSum, result.correct]);
      }
    });

    test.each([1, 4, 7, 33])("takes %i images as bytes for what they are normalised", async (count) => {
      const { parameters, shard, evaluation } = makeCase(20, count);
      // Mostly background, as real images are, and every value somewhere.
      const bytes = Uint8Array.from(shard.images, (value, i) => (i % 7 < 4 ? 0 : Math.abs(value * 1_000 + i) % 256));
      const images = Float32Array.from(bytes, (byte) => NORMALISED[byte]!);
      engine.load(parameters);
      const expected = copyOf(await engine.gradients({ ...shard, images }));
      const { logits } = await engine.evaluate({ ...evaluation, labels: shard.labels, images });
      const expectedLogits = logits.slice();
      const found = await engine.gradients({ ...shard, images: bytes });
      expect(sameBits(found.gradient, expected.gradient)).toBe(true);
      expect(sameBits(found.batchVar, expected.batchVar)).toBe(true);
      expect(found.lossSum).toBe(expected.lossSum);
      const again = await engine.evaluate({ ...evaluation, labels: shard.labels, images: bytes });
      expect(sameBits(again.logits, expectedLogits)).toBe(true);
    });

    test("takes parameters in parts, once it has had them all", async () => {
      const { parameters, shard } = makeCase(21, 3);
      const other = makeCase(22, 3).parameters;
      engine.load(other);
      engine.load(parameters.subarray(0, 2_616), 0);
      engine.load(parameters.subarray(2_616), 2_616);
      const found = copyOf(await engine.gradients(shard));
      engine.load(parameters);
      expect(sameBits(found.gradient, (await engine.gradients(shard)).gradient)).toBe(true);
      await expectUsageError(() => engine.load(new Float32Array(3), 61_748), /3 parameters from index 61748 on/);
    });

    test("leaves its inputs as they were", async () => {
      const { parameters, shard, evaluation } = makeCase(17, 5);
      const before = makeCase(17, 5);
      engine.load(parameters);
      await engine.gradients(shard);
      await engine.evaluate(evaluation);
      expect(sameBits(parameters, before.parameters)).toBe(true);
      expect(shard.images).toEqual(before.shard.images);
      expect(sameBits(evaluation.runningVar, before.evaluation.runningVar)).toBe(true);
    });

    test("takes the first of equal logits as its answer", async () => {
      const { parameters, shard } = makeCase(18, 10);
      for (const layer of ["fc3.weight", "fc3.bias"]) {
        const { offset, size } = tensor(layer);
        parameters.fill(0, offset, offset + size);
      }
      engine.load(parameters);
      const labels = Uint8Array.from([0, 0, 0, 1, 2, 3, 4, 5, 6, 9]);
      expect((await engine.gradients({ ...shard, labels })).correct).toBe(3);
    });

    describe("refuses with a usage error", () => {
      const { parameters, shard, evaluation } = makeCase(19, 2);
      beforeAll(() => engine.load(parameters));

      test.each([
        ["no images", { labels: new Uint8Array(0), images: new Float32Array(0) }, /no labels/],
        ["too few pixels", { images: new Float32Array(2047) }, /images has 2047 values, expected 2048/],
        ["too few bytes", { images: new Uint8Array(2049) }, /images has 2049 bytes, expected 2048/],
        ["a label above 9", { labels: Uint8Array.from([3, 10]) }, /label 1 of the shard is 10/],
        ["a global count below the shard's", { globalCount: 1 }, /globalCount is 1/],
        ["a global count that is no whole number", { globalCount: 2.5 }, /globalCount is 2.5/],
        ["smoothing that leaves nothing of a label", { labelSmoothing: 1 }, /labelSmoothing is 1: .* 0 to below 1/],
        ["smoothing below 0", { labelSmoothing: -0.1 }, /labelSmoothing is -0.1/],
        ["smoothing that is no number", { labelSmoothing: NaN }, /labelSmoothing is NaN/],
      ])("%s", async (_, wrong, message) => {
        await expectUsageError(() => engine.gradients({ ...shard, ...wrong }), message);
      });

      test("parameters of another length", async () => {
        await expectUsageError(
          () => engine.load(new Float32Array(61_706)),
          /parameters has 61706 values, expected 61750/,
        );
      });

      test("statistics of another length", async () => {
        await expectUsageError(
          () => engine.evaluate({ ...evaluation, runningVar: new Float32Array(6) }),
          /runningVar has 6 values, expected 22/,
        );
      });

      test("computing before load()", async () => {
        const fresh = await create();
        await expectUsageError(() => fresh.gradients(shard), /call load\(\) first/);
        await expectUsageError(() => fresh.evaluate(evaluation), /call load\(\) first/);
        await fresh.dispose();
      });
    });
  });
}

function firstImages({ images, labels }: ShardInput, count: number): ShardInput {
  return { images: images.subarray(0, count * 1024), labels: labels.subarray(0, count), globalCount: count };
}

export function copyOf(result: ShardGradient): ShardGradient {
  const { gradient, batchMean, batchVar } = result;
  return { ...result, gradient: gradient.slice(), batchMean: batchMean.slice(), batchVar: batchVar.slice() };
}

export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bytes = (array: Float32Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}

export function largest(values: Float32Array): number {
  return values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
}

async function expectUsageError(call: () => unknown, message: RegExp): Promise<void> {
  const error = await (async () => call())().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LockstepError);
  expect(error).toMatchObject({ code: "usage", message: expect.stringMatching(message) as string });
}
