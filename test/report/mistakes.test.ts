import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge, type Mistake, WorstMistakes } from "../../src/report/mistakes.ts";

const logits = (...first: number[]): Float32Array => Float32Array.from({ length: 10 }, (_, i) => first[i] ?? 0);

describe("judge", () => {
  test("takes the class of the largest logit, and of equals the first", () => {
    expect(judge(logits(0, 2, 2, 1), 3).prediction).toBe(1);
    expect(judge(logits(), 9)).toMatchObject({ prediction: 0, probability: 0.1, loss: expect.closeTo(Math.log(10)) });
  });

  test("is a softmax and its cross-entropy, also where powers would overflow", () => {
    const found = judge(logits(2000, 2001), 0);
    expect(found.prediction).toBe(1);
    expect(found.probability).toBeCloseTo(1 / (1 + Math.exp(-1)));
    expect(found.loss).toBeCloseTo(1 + Math.log(1 + Math.exp(-1)));
  });
});

describe("the worst mistakes", () => {
  const mistake = (image: number, loss: number, changes: Partial<Mistake> = {}): Mistake => ({
    ...{ image, loss, label: 1, prediction: 7, probability: 0.5 },
    ...changes,
  });

  test("leave out what was recognised, however unsure", () => {
    const worst = new WorstMistakes(3);
    worst.add(mistake(0, 9, { prediction: 1 }));
    expect(worst.list()).toEqual([]);
  });

  test("are those that sorting all by loss, then place, puts first", () => {
    // Few different losses, so that many are equal.
    const losses = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 60 });
    fc.assert(
      fc.property(losses, fc.integer({ min: 1, max: 20 }), (all, limit) => {
        const worst = new WorstMistakes(limit);
        const mistakes = all.map((loss, image) => mistake(image, loss));
        for (const each of mistakes) worst.add(each);
        const sorted = mistakes.toSorted((a, b) => b.loss - a.loss || a.image - b.image);
        expect(worst.list()).toEqual(sorted.slice(0, limit));
      }),
    );
  });
});
