import { expect, test } from "vitest";
import { initialState } from "../../../src/shared/model/initialise.ts";
import { PARAMETERS, STATE_COUNT, tensor } from "../../../src/shared/model/lenet5.ts";

const state = initialState(1);

const valuesOf = (name: string, of = state) =>
  of.subarray(tensor(name).offset, tensor(name).offset + tensor(name).size);

test("has one value for every place", () => {
  expect(state.length).toBe(STATE_COUNT);
});

test.each(PARAMETERS.filter((spec) => spec.fanIn > 0))("$name is uniform within 1/sqrt($fanIn)", ({ name, fanIn }) => {
  const values = valuesOf(name);
  const bound = 1 / Math.sqrt(fanIn);
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  // Five standard deviations of the mean, and of the mean square, of n uniform values.
  expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * values.length));
  expect(Math.abs(meanSquare - bound ** 2 / 3)).toBeLessThan(
    (5 * bound ** 2 * Math.sqrt(4 / 45)) / Math.sqrt(values.length),
  );
});

test.each([
  { names: ["bn1.weight", "bn2.weight", "bn1.running_var", "bn2.running_var"], value: 1 },
  { names: ["bn1.bias", "bn2.bias", "bn1.running_mean", "bn2.running_mean"], value: 0 },
])("$names are $value", ({ names, value }) => {
  for (const name of names) expect(new Set(valuesOf(name))).toEqual(new Set([value]));
});

test("the seed decides", () => {
  expect(initialState(1)).toEqual(state);
  expect(valuesOf("fc1.weight", initialState(2))).not.toEqual(valuesOf("fc1.weight"));
});

test("weights do not repeat", () => {
  expect(new Set(valuesOf("fc1.weight").subarray(0, 1000)).size).toBeGreaterThan(995);
});

test("has the bits that every machine must get", () => {
  expect([...valuesOf("conv1.weight").subarray(0, 4)]).toEqual([
    -0.1711185872554779, 0.11682946979999542, -0.1547515094280243, -0.15908142924308777,
  ]);
});
