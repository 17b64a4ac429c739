import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { adamFactors } from "../../../src/coordinator/adam.ts";
import { type Moments, sharedMemory, type Vector, VectorMemory } from "../../../src/shared/vector/vector-memory.ts";
import { adamLoop, type PlainMoments } from "../../support/adam-loop.ts";
import { expectSameBits, randomVector, roughFloat } from "../../support/floats.ts";

const memory = new VectorMemory();
const scratch = [memory.allocate(100), memory.allocate(100)] as const;

function vectorOf(values: Float32Array, target = memory.allocate(values.length)): Vector {
  target.values.set(values);
  return target;
}

describe("sumOfSquares", () => {
  test("equals four interleaved sums in double precision for any length, and reads nothing beyond", () => {
    fc.assert(
      fc.property(fc.array(roughFloat, { maxLength: 40 }), (numbers) => {
        const [vector] = scratch;
        vector.values.fill(1e30);
        vector.values.set(numbers);
        const sums: [number, number, number, number] = [0, 0, 0, 0];
        const whole = numbers.length - (numbers.length % 4);
        for (const [i, value] of numbers.entries())
          sums[i < whole ? ((i % 4) as 0 | 1 | 2 | 3) : 0] += Math.fround(value) ** 2;
        expect(memory.sumOfSquares(vector, numbers.length)).toBe(sums[0] + sums[1] + (sums[2] + sums[3]));
      }),
      { numRuns: 300 },
    );
  });

  test("takes the largest and smallest float32, whose squares are none", () => {
    const [largest, smallest] = [3.4028234663852886e38, 2 ** -149];
    expect(memory.sumOfSquares(vectorOf(Float32Array.of(largest, largest)), 2)).toBe(2 * largest * largest);
    expect(memory.sumOfSquares(vectorOf(Float32Array.of(smallest)), 1)).toBe(smallest * smallest);
    expect(memory.sumOfSquares(vectorOf(Float32Array.of(NaN, 1, 2, 3, 4)), 5)).toBeNaN();
  });
});

describe("add", () => {
  const lengths = [1, 3, 4, 5, 8, 11];

  test.each([NaN, Infinity, -Infinity, 3e38])("says that a sum with %f is not finite, wherever it stands", (bad) => {
    for (const length of lengths) {
      for (let place = 0; place < length; place++) {
        const into = vectorOf(new Float32Array(length).fill(1));
        const other = vectorOf(new Float32Array(length).fill(2));
        expect(memory.add(into, other)).toBe(true);
        into.values[place] = bad;
        other.values[place] = Number.isFinite(bad) ? bad : 1;
        expect(memory.add(into, other), `length ${length}, place ${place}`).toBe(false);
      }
    }
  });

  test("equals a plain float32 loop for any length, and touches nothing beyond", () => {
    const pairs = fc.array(fc.tuple(roughFloat, roughFloat), { maxLength: 40 });
    fc.assert(
      fc.property(pairs, (numbers) => {
        const length = numbers.length;
        const [into, other] = scratch.map((vector) => memory.part(vector, 0, length)) as [Vector, Vector];
        for (const vector of scratch) vector.values.fill(7);
        into.values.set(numbers.map(([a]) => a));
        other.values.set(numbers.map(([, b]) => b));
        memory.add(into, other);
        expectSameBits(
          into.values,
          Float32Array.from(numbers, ([a, b]) => Math.fround(a + b)),
        );
        expectSameBits(
          other.values,
          Float32Array.from(numbers, ([, b]) => b),
        );
        expect(new Set(scratch[0].values.subarray(length))).toEqual(new Set([7]));
      }),
      { numRuns: 300 },
    );
  });

  test("keeps signed zeros, denormals and infinities as IEEE 754 says", () => {
    const a = Float32Array.of(-0, -0, 1e-45, Infinity, 3e38, Infinity);
    const b = Float32Array.of(-0, 0, 1e-45, -Infinity, 3e38, 1);
    const into = vectorOf(a);
    memory.add(into, vectorOf(b));
    const expected = a.map((value, i) => value + b[i]!);
    expect([...into.values]).toEqual([-0, 0, Math.fround(2.8e-45), NaN, Infinity, Infinity]);
    expect([...into.values]).toEqual([...expected]);
  });
});

test("blend equals a plain float32 loop for any length, and touches nothing beyond", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(roughFloat, roughFloat), { maxLength: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (numbers, keep) => {
        const { length } = numbers;
        const [average, values] = scratch.map((vector) => memory.part(vector, 0, length)) as [Vector, Vector];
        for (const vector of scratch) vector.values.fill(7);
        average.values.set(numbers.map(([a]) => a));
        values.values.set(numbers.map(([, b]) => b));
        memory.blend(average, values, keep);
        const [kept, taken] = [Math.fround(keep), Math.fround(1 - keep)];
        const expected = numbers.map(([a, b]) => Math.fround(a * kept) + Math.fround(b * taken));
        expectSameBits(average.values, Float32Array.from(expected));
        expect(new Set(scratch[0].values.subarray(length))).toEqual(new Set([7]));
      },
    ),
    { numRuns: 200 },
  );
});

test("scale equals a plain float32 loop for any range, in place or not, and touches nothing beyond", () => {
  const range = fc.record({ start: fc.nat(9), length: fc.nat(40) });
  fc.assert(
    fc.property(range, fc.boolean(), roughFloat, fc.nat(), ({ start, length }, isInPlace, factor, seed) => {
      const [values, other] = scratch;
      const numbers = randomVector(100, seed);
      values.values.set(numbers);
      other.values.fill(7);
      const into = isInPlace ? values : other;
      const expected = into.values.map((value, i) =>
        i >= start && i < start + length ? Math.fround(numbers[i]! * factor) : value,
      );
      memory.scale(into, values, factor, { start, length });
      expectSameBits(into.values, expected);
    }),
    { numRuns: 300 },
  );
});

test("scale by 1 changes no bit of any finite number", () => {
  const numbers = Float32Array.of(-0, 0, 1e-45, -1e-45, 1e-40, 3.4e38, -3.4e38, 1, Infinity, -Infinity, 0.1);
  const [into, values] = [vectorOf(numbers.map(() => 7)), vectorOf(numbers)];
  memory.scale(into, values, 1, { start: 0, length: numbers.length });
  expectSameBits(into.values, numbers);
});

describe("allFinite", () => {
  const lengths = [1, 2, 3, 4, 5, 7, 8, 11, 12, 15];

  test.each([NaN, Infinity, -Infinity])("finds %d at every place of every length", (bad) => {
    for (const length of lengths) {
      for (let place = 0; place < length; place++) {
        const vector = memory.part(scratch[0], 0, length);
        scratch[0].values.fill(1);
        vector.values[place] = bad;
        expect(memory.allFinite(vector), `length ${length}, place ${place}`).toBe(false);
      }
    }
  });

  test("looks at the vector alone, not at what lies behind it", () => {
    scratch[0].values.fill(NaN);
    for (const length of lengths) {
      const vector = memory.part(scratch[0], 0, length);
      vector.values.fill(-2.5);
      expect(memory.allFinite(vector), `length ${length}`).toBe(true);
    }
    expect(memory.allFinite(memory.part(scratch[0], 0, 0))).toBe(true);
  });

  test.each([
    ["zeros of both signs", [0, -0, 0, -0, -0]],
    ["denormals", [1e-45, -1e-45, 1e-40, -1e-39, 1e-45]],
    [
      "the largest numbers, whose sum overflows",
      [3.4e38, 3.4e38, 3.4e38, 3.4e38, 3.4e38, 3.4e38, 3.4e38, 3.4e38, 3.4e38],
    ],
    ["the largest numbers of both signs", [3.4e38, -3.4e38, -3.4e38, 3.4e38, -3.4e38]],
  ])("holds for %s", (_, values) => {
    expect(memory.allFinite(vectorOf(Float32Array.from(values)))).toBe(true);
  });

  test("is not fooled by infinities of opposite signs", () => {
    expect(memory.allFinite(vectorOf(Float32Array.of(Infinity, 0, 0, 0, -Infinity, 0, 0, 0, 1)))).toBe(false);
  });

  test("agrees with Number.isFinite on any bits", () => {
    fc.assert(
      fc.property(fc.uint32Array({ minLength: 1, maxLength: 30 }), (words) => {
        const values = new Float32Array(words.buffer, words.byteOffset, words.length);
        const vector = memory.part(scratch[0], 0, values.length);
        new Uint32Array(vector.values.buffer, vector.values.byteOffset, words.length).set(words);
        expect(memory.allFinite(vector)).toBe(values.every(Number.isFinite));
      }),
      { numRuns: 500 },
    );
  });
});

test.each([1, 3, 4, 5, 6, 7, 64, 101, 1_000])(
  "adam equals a plain float32 loop over 50 steps of length %i",
  (length) => {
    const allocate = (): Moments => ({
      p: memory.allocate(length),
      m: memory.allocate(length),
      v: memory.allocate(length),
    });
    let [current, next] = [allocate(), allocate()];
    const start = randomVector(length, length);
    current.p.values.set(start);
    let expected: PlainMoments = { p: start, m: new Float32Array(length), v: new Float32Array(length) };
    const gradient = memory.allocate(length);
    for (let t = 1; t <= 50; t++) {
      gradient.values.set(randomVector(length, 1_000 * length + t));
      if (t % 7 === 0) gradient.values.fill(0);
      const factors = adamFactors(0.001 * t, t);
      memory.adam(current, gradient, next, length, factors);
      expectSameBits(current.p.values, expected.p, "the old parameters");
      expected = adamLoop(expected, gradient.values, factors);
      expectSameBits(next.p.values, expected.p, `p after step ${t}`);
      expectSameBits(next.m.values, expected.m, `m after step ${t}`);
      expectSameBits(next.v.values, expected.v, `v after step ${t}`);
      [current, next] = [next, current];
    }
  },
);

describe("allocate", () => {
  test("keeps numbers when the memory grows, and vectors apart from each other", () => {
    const growing = new VectorMemory();
    const vectors = [3, 100_000, 1, 5, 61_794].map((length, i) => {
      const vector = growing.allocate(length);
      vector.values.fill(i + 1);
      return vector;
    });
    for (const [i, vector] of vectors.entries()) expect(new Set(vector.values)).toEqual(new Set([i + 1]));
  });

  test("in a shared memory, what one side allocates the other can read and add where it lies", () => {
    const shared = sharedMemory();
    const [here, there] = [new VectorMemory(shared), new VectorMemory(shared)];
    const vectors = [here.allocate(100_000), there.allocate(100_000), here.allocate(5)];
    for (const [i, vector] of vectors.entries()) vector.values.fill(i + 1);
    const [first, second, third] = vectors.map(({ values }) => there.at(values.byteOffset, values.length));
    expect(there.add(second!, first!)).toBe(true);
    expect(new Set(vectors[1]!.values)).toEqual(new Set([3]));
    expect(new Set(third!.values)).toEqual(new Set([3]));
    expect(new Set(vectors[0]!.values)).toEqual(new Set([1]));
  });

  test("a part shares its vector's numbers", () => {
    const whole = vectorOf(Float32Array.of(0, 1, 2, 3, 4, 5, 6));
    const part = memory.part(whole, 4, 3);
    part.values[0] = 40;
    expect([...whole.values]).toEqual([0, 1, 2, 3, 40, 5, 6]);
  });

  test.each([
    [1, 2],
    [4, 4],
    [8, 1],
  ])("refuses a part that starts at %i with length %i of a vector of 7", (start, length) => {
    expect(() => memory.part(memory.allocate(7), start, length)).toThrow(RangeError);
  });

  test("refuses a vector that it did not make", () => {
    const foreign: Vector = { length: 4, values: new Float32Array(4) };
    expect(() => memory.add(foreign, foreign)).toThrow("not one of this memory's");
  });
});
