import { expect, test } from "vitest";
import { cosPi } from "../../src/shared/cosine.ts";

test("is exact where cosine is", () => {
  expect([0, 0.5, 1].map(cosPi)).toEqual([1, 0, -1]);
});

test("is cosine within 1e-15 everywhere", () => {
  for (let i = 0; i <= 100_000; i++) {
    const x = i / 100_000;
    const error = Math.abs(cosPi(x) - reference(x));
    if (error > 1e-15) expect.fail(`cosPi(${x}) is off by ${error}`);
  }
});

test("has the bits that every machine must get", () => {
  expect([0.1, 0.2, 0.25, 0.3, 0.7, 0.9].map(cosPi)).toEqual([
    0.9510565162951535, 0.8090169943749475, 0.7071067811865476, 0.5877852522924731, -0.587785252292473,
    -0.9510565162951536,
  ]);
});

/** Math.cos near a multiple of pi/2 is as wrong as its argument, so use whichever of sine and cosine is steeper. */
function reference(x: number): number {
  return x > 0.25 && x < 0.75 ? Math.sin(Math.PI * (0.5 - x)) : Math.cos(Math.PI * x);
}
