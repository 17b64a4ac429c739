import type * as core from "@tensorflow/tfjs-core";
import type { Layers } from "../tfjs/layers.ts";

/**
 * The gradient of pooling over windows of 2 by 2 where of equal values the first one gets it, row by row, as PyTorch and
 * the other engines have it. Composed of operations that leave nothing to chance; for where the native one chooses
 * otherwise.
 */
export function firstMaximumGradient(tf: typeof core): Layers["poolGradient"] {
  return (dy, x, y) => {
    const [count, rows, columns, channels] = y.shape;
    const pixels = (row: number, column: number): core.Tensor4D =>
      tf.stridedSlice(x, [0, row, column, 0], [...x.shape], [1, 2, 2, 1]) as core.Tensor4D;
    let left: core.Tensor4D = dy;
    const take = (pixel: core.Tensor4D): core.Tensor4D => {
      const isMaximum = tf.equal(pixel, y);
      const taken = tf.where(isMaximum, left, tf.zerosLike(left)) as core.Tensor4D;
      left = tf.sub(left, taken);
      return taken;
    };
    const [first, second, third, fourth] = [pixels(0, 0), pixels(0, 1), pixels(1, 0), pixels(1, 1)].map(take);
    const upper = tf.reshape(tf.stack([first!, second!], 3), [count, rows, 2 * columns, channels]);
    const lower = tf.reshape(tf.stack([third!, fourth!], 3), [count, rows, 2 * columns, channels]);
    return tf.reshape(tf.stack([upper, lower], 2), x.shape);
  };
}
