/** Softmax cross-entropy, in float64 with AssemblyScript's own exp and log: equal bits on every machine. */
export const LOSS = `
/** exp of each logit of the image at hand, less the largest. */
const exponentials = memory.data(${10 * 8});

/**
 * Loss with smoothed labels, and its gradient with respect to the logits, (softmax - target) / globalCount. The target is
 * (1 - labelSmoothing) * one-hot + labelSmoothing / 10: exactly 1 and 0 where labelSmoothing is 0.
 *
 * @param logits [groups][10][4]
 * @param labels [count] bytes, 0 to 9
 * @param dLogits [groups][10][4]; lanes without an image get 0
 * @param groups with the pad group, if there is one
 * @param summary {sum of the losses: f64, correct images: i32}
 */
export function softmaxCrossEntropy(
  logits: usize, labels: usize, dLogits: usize, groups: i32, count: i32, globalCount: f64, labelSmoothing: f64,
  summary: usize,
): void {
  const other = labelSmoothing / 10;
  const own = 1 - labelSmoothing + other;
  memory.fill(dLogits, 0, (<usize>groups) * ${10 * 16});
  let lossSum: f64 = 0;
  let correct = 0;
  for (let image = 0; image < count; image++) {
    const start = (<usize>(image >> 2)) * ${10 * 16} + (<usize>(image & 3)) * 4;
    const label = <i32>load<u8>(labels + image);
    const logit = logits + start;
    let largest: f32 = -Infinity;
    let predicted = 0;
    for (let k = 0; k < 10; k++) {
      const value = load<f32>(logit + (<usize>k) * 16);
      if (value > largest) {
        largest = value;
        predicted = k;
      }
    }
    let sum: f64 = 0;
    for (let k = 0; k < 10; k++) {
      const e = NativeMath.exp(<f64>load<f32>(logit + (<usize>k) * 16) - <f64>largest);
      store<f64>(exponentials + (<usize>k) * 8, e);
      sum += e;
    }
    const logSum = NativeMath.log(sum);
    for (let k = 0; k < 10; k++) {
      const target = k == label ? own : other;
      const probability = load<f64>(exponentials + (<usize>k) * 8) / sum;
      store<f32>(dLogits + start + (<usize>k) * 16, <f32>((probability - target) / globalCount));
      // What nobody expects costs nothing, not even where its logit is -Infinity.
      if (target > 0) lossSum += target * (logSum - (<f64>load<f32>(logit + (<usize>k) * 16) - <f64>largest));
    }
    correct += i32(predicted == label);
  }
  store<f64>(summary, lossSum, 0);
  store<i32>(summary, correct, 8);
}

/** First byte that the kernels' own data does not use. */
export function firstFreeByte(): usize {
  return __heap_base;
}
`;
