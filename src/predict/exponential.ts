/**
 * The exponential function in plain arithmetic. `Math.exp` may differ in its last bit between engine versions, and so
 * between Node.js and a browser; IEEE 754 addition, multiplication and division are the same everywhere.
 */

/** ln 2 in two parts: the first has so few bits that its multiples up to 2^20 are exact. */
const LN2_HIGH = 2_977_044_471 / 2 ** 32;
const LN2_LOW = 1.908_214_929_270_587_7e-10;
/** Below this, e^x is 0 as a float64. */
const LEAST = -746;
/** The Taylor series' last term, x^14 / 14!, is below 5e-18 at half of ln 2. */
const TERMS = 14;

/** e^x for x up to 0, within 3e-16 of it, relatively, where it is no smaller than 2^-1022. */
export function exponential(x: number): number {
  if (!(x > LEAST)) return 0;
  // x = halvings * ln 2 + rest, where the rest is at most half of ln 2.
  const halvings = Math.round(x / Math.LN2);
  const rest = x - halvings * LN2_HIGH - halvings * LN2_LOW;
  let sum = 1;
  for (let n = TERMS; n > 0; n--) sum = 1 + (rest / n) * sum;
  for (let n = halvings; n < 0; n++) sum /= 2;
  return sum;
}
