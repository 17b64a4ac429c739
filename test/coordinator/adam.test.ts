import { describe, expect, test } from "vitest";
import { ADAM, adamFactors, integerPower } from "../../src/coordinator/adam.ts";
import { type Moments, VectorMemory } from "../../src/shared/vector/vector-memory.ts";

/** Runs Adam on the real kernels from zero moments; `gradientAt` gives the gradient of the t-th step. */
function train(start: readonly number[], steps: number, lr: number, gradientAt: (t: number) => readonly number[]) {
  const memory = new VectorMemory();
  const { length } = start;
  const allocate = (): Moments => ({
    p: memory.allocate(length),
    m: memory.allocate(length),
    v: memory.allocate(length),
  });
  let [current, next] = [allocate(), allocate()];
  current.p.values.set(start);
  const gradient = memory.allocate(length);
  const trace: number[][] = [];
  for (let t = 1; t <= steps; t++) {
    gradient.values.set(gradientAt(t));
    memory.adam(current, gradient, next, length, adamFactors(lr, t));
    [current, next] = [next, current];
    trace.push([...current.p.values]);
  }
  return { trace, m: [...current.m.values], v: [...current.v.values] };
}

/** Kingma and Ba 2015, algorithm 1, as written there, in double precision. */
function textbookAdam(
  start: readonly number[],
  steps: number,
  lr: number,
  gradientAt: (t: number) => readonly number[],
) {
  const { beta1, beta2, epsilon } = ADAM;
  const theta = [...start];
  const [m, v] = [start.map(() => 0), start.map(() => 0)];
  for (let t = 1; t <= steps; t++) {
    for (const [i, g] of gradientAt(t).entries()) {
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      const mHat = m[i]! / (1 - beta1 ** t);
      const vHat = v[i]! / (1 - beta2 ** t);
      theta[i]! -= (lr * mHat) / (Math.sqrt(vHat) + epsilon);
    }
  }
  return theta;
}

test("stays close to the textbook in double precision over 500 steps", () => {
  const start = [1, -0.5, 0.25, 3, 0, 0.125, -2];
  const gradientAt = (t: number) => start.map((_, i) => Math.sin(t * (i + 1)) * 10 ** (i - 4) + 0.01 * i);
  const { trace } = train(start, 500, 0.001, gradientAt);
  for (const [i, expected] of textbookAdam(start, 500, 0.001, gradientAt).entries()) {
    // 500 updates of about 0.001, each rounded to 24 bits of a number up to 3.
    expect(Math.abs(trace.at(-1)![i]! - expected), `parameter ${i}`).toBeLessThan(500 * 3 * 2 ** -24);
  }
});

/*
 * torch 1.13.0:
 *
 *     p = torch.nn.Parameter(torch.tensor([1.0, -0.5, 0.25, 3.0, 0.0]))
 *     optimizer = torch.optim.Adam([p], lr=0.001)
 *     for t in range(1, 51):
 *         p.grad = torch.tensor([0.3, -2.0, 1e-4, 5.0 if t % 2 else -5.0, 0.01 * t])
 *         optimizer.step()
 *         if t in (1, 2, 10, 50): print(t, p.tolist())
 *     s = optimizer.state[p]
 *     print(s["exp_avg"].tolist(), s["exp_avg_sq"].tolist())
 */
describe("agrees with torch.optim.Adam", () => {
  const { trace, m, v } = train([1, -0.5, 0.25, 3, 0], 50, 0.001, (t) => [
    0.3,
    -2,
    1e-4,
    t % 2 === 1 ? 5 : -5,
    0.01 * t,
  ]);

  test.each([
    [1, [0.9990000128746033, -0.49900001287460327, 0.24900010228157043, 2.999000072479248, -0.0009999989997595549]],
    [2, [0.9980000257492065, -0.49800002574920654, 0.24800020456314087, 2.9990527629852295, -0.00196518050506711]],
    [10, [0.9900001287460327, -0.4900001287460327, 0.24000102281570435, 2.998455047607422, -0.009845886379480362]],
    [50, [0.9500006437301636, -0.4500006437301636, 0.20000511407852173, 2.9982450008392334, -0.05956677347421646]],
  ])("parameters after step %i", (t, expected) => {
    const found = trace[t - 1]!;
    // A rounding or two in the last place a step: PyTorch orders its multiplications a little differently.
    for (const [i, value] of expected.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(t * 2 ** -23);
  });

  test("moments after step 50", () => {
    const expectedM = [
      0.29845380783081055, -1.9896925687789917, 9.948462684405968e-5, -0.2618016302585602, 0.41046378016471863,
    ];
    const expectedV = [
      0.004391496069729328, 0.19517745077610016, 4.87943907501176e-10, 1.219859004020691, 0.004240929149091244,
    ];
    for (const [found, expected] of [
      [m, expectedM],
      [v, expectedV],
    ] as const) {
      for (const [i, value] of expected.entries()) expect(Math.abs(found[i]! / value - 1)).toBeLessThan(20 * 2 ** -23);
    }
  });
});

describe("integerPower", () => {
  test("is exact where the true power is", () => {
    for (let exponent = 0; exponent <= 60; exponent++) expect(integerPower(2, exponent)).toBe(2 ** exponent);
    for (let exponent = 0; exponent <= 33; exponent++)
      expect(integerPower(3, exponent)).toBe(Number(3n ** BigInt(exponent)));
    expect(integerPower(-1, 7)).toBe(-1);
  });

  test.each([0.9, 0.999])("is close to Math.pow for powers of %d", (base) => {
    for (const exponent of [1, 2, 3, 10, 937, 9_380, 100_000]) {
      const power = base ** exponent;
      expect(Math.abs(integerPower(base, exponent) - power)).toBeLessThanOrEqual(1e-11 * power);
    }
  });

  test("has the bits that every machine must get", () => {
    expect([integerPower(0.9, 7), integerPower(0.999, 938)]).toMatchInlineSnapshot(`
      [
        0.47829690000000014,
        0.39122622220115405,
      ]
    `);
  });
});

test.each([1, 2, 10, 1_000, 2 ** 40])("the factors of step %i are float32 and finite", (t) => {
  const factors = adamFactors(0.001, t);
  for (const [name, value] of Object.entries(factors)) {
    expect(Number.isFinite(value), name).toBe(true);
    expect(Math.fround(value), name).toBe(value);
  }
  expect(factors.stepSize).toBeGreaterThanOrEqual(Math.fround(0.001));
  expect(factors.varianceScale).toBeGreaterThanOrEqual(1);
});
