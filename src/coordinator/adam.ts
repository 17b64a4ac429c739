import type { AdamFactors } from "../shared/vector/vector-memory.ts";

/** The recipe's hyper-parameters, which are also PyTorch's defaults. */
export const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/**
 * base^exponent by repeated squaring in double precision. Math.pow's last bit differs between JavaScript engine
 * versions; multiplication's does not, so a run resumed elsewhere steps with the same factors.
 */
export function integerPower(base: number, exponent: number): number {
  let power = 1;
  let square = base;
  for (let bits = exponent; bits > 0; bits = Math.floor(bits / 2)) {
    if (bits % 2 === 1) power *= square;
    square *= square;
  }
  return power;
}

/**
 * The factors of Adam's t-th step, with the bias corrections of Kingma and Ba 2015 (section 3).
 * @param t counted from 1
 */
export function adamFactors(learningRate: number, t: number): AdamFactors {
  const { beta1, beta2, epsilon } = ADAM;
  return {
    beta1: Math.fround(beta1),
    oneMinusBeta1: Math.fround(1 - beta1),
    beta2: Math.fround(beta2),
    oneMinusBeta2: Math.fround(1 - beta2),
    stepSize: Math.fround(learningRate / (1 - integerPower(beta1, t))),
    varianceScale: Math.fround(1 / Math.sqrt(1 - integerPower(beta2, t))),
    epsilon: Math.fround(epsilon),
  };
}
