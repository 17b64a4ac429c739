/**
 * Cosine in plain arithmetic. `Math.cos` may differ in its last bit between engine versions, which would give different
 * learning rates and so different weights; IEEE 754 addition and multiplication are the same everywhere.
 */

/** cos(pi x) for x from 0 to 1, within 1e-15. */
export function cosPi(x: number): number {
  // The symmetries leave an angle of at most pi/4, where the series below are exact to the last bit or two. 1 - x and
  // 0.5 - x are exact (Sterbenz).
  if (x > 0.5) return -cosPi(1 - x);
  return x > 0.25 ? sine(Math.PI * (0.5 - x)) : cosine(Math.PI * x);
}

/** Taylor series up to angle^18 / 18!, which is below 2e-18 at pi/4. */
function cosine(angle: number): number {
  const square = angle * angle;
  let sum = 1;
  for (let n = 18; n > 0; n -= 2) sum = 1 - (square / (n * (n - 1))) * sum;
  return sum;
}

/** Taylor series up to angle^19 / 19!. */
function sine(angle: number): number {
  const square = angle * angle;
  let sum = 1;
  for (let n = 19; n > 1; n -= 2) sum = 1 - (square / (n * (n - 1))) * sum;
  return angle * sum;
}
