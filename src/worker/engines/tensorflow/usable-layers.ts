import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import { messageOf } from "../../../shared/errors.ts";
import type { Layers, Normalised } from "../tfjs/layers.ts";
import type { TensorFlow } from "./node-backend.ts";

/** Largest difference from the composed layer, relative to its largest value, with which a native one is used. */
const TOLERANCE = 1e-3;

/**
 * Tries each native layer on a few numbers and takes the composed one where the native one is missing, refuses, or
 * computes something else: TensorFlow's versions and devices differ in what they have, and in deterministic mode some
 * operations refuse to run on a GPU.
 *
 * @returns the layers to use, and the names of those that had to be composed
 */
export function usableLayers(
  tf: TensorFlow,
  native: Layers,
  composed: Layers,
): { readonly layers: Layers; readonly replaced: readonly (keyof Layers)[] } {
  const replaced: (keyof Layers)[] = [];
  const choose = (names: readonly (keyof Layers)[], outputs: (layers: Layers) => readonly Tensor[]): void => {
    if (
      !agree(
        tf,
        () => outputs(native),
        () => outputs(composed),
      )
    )
      replaced.push(...names);
  };
  const wave = (...shape: number[]): Tensor => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    return tf.tensor(
      Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7) * 2),
      shape,
    );
  };
  // The two understand only their own reserved values.
  choose(["batchNorm", "batchNormGradient"], (layers) => {
    const [x, dy] = [wave(3, 4, 4, 2), tf.square(wave(3, 4, 4, 2))] as [Tensor, Tensor];
    const [gamma, beta] = [tf.tensor1d([0.5, 1.5]), tf.tensor1d([0.1, -0.2])];
    const saved: Normalised = layers.batchNorm(x as never, gamma, beta);
    const { dx, dGamma, dBeta } = layers.batchNormGradient(dy as never, x as never, gamma, saved);
    return [saved.y, saved.mean, tf.div(saved.variance, saved.varianceFactor), dx, dGamma, dBeta];
  });
  // A quarter of the windows are flat: of equal pixels the first one counts.
  choose(["poolGradient"], (layers) => {
    const x = tf.round(wave(1, 4, 8, 2)) as Tensor4D;
    const y = tf.maxPool(x, 2, 2, "valid");
    return [layers.poolGradient(wave(1, 2, 4, 2) as Tensor4D, x, y)];
  });
  choose(["reluGradient"], (layers) => [layers.reluGradient(wave(4, 5) as never, tf.relu(wave(4, 5)) as never)]);
  choose(["biasGradient"], (layers) => [layers.biasGradient(wave(4, 5) as never)]);
  choose(["crossEntropyGradient"], (layers) => {
    const targets = tf.tensor2d([0, 1, 0, 0.1, 0.1, 0.8], [2, 3]);
    return [layers.crossEntropyGradient(wave(2, 3) as never, targets)];
  });
  const layers = { ...native };
  for (const name of replaced) Object.assign(layers, { [name]: composed[name] });
  return { layers, replaced };
}

function agree(tf: TensorFlow, native: () => readonly Tensor[], composed: () => readonly Tensor[]): boolean {
  return tf.tidy(() => {
    let found: readonly Tensor[];
    try {
      found = native();
      // Reading waits for the device, where an operation may fail only then.
      for (const tensor of found) tensor.dataSync();
    } catch (thrown) {
      // Where there is no memory left, composed layers would find none either.
      if (/out of memory|OOM|resource exhausted/i.test(messageOf(thrown))) throw thrown;
      return false;
    }
    return composed().every((expected, i) => {
      const largest = tf.max(tf.abs(expected)).dataSync()[0]!;
      const difference = tf.max(tf.abs(tf.sub(expected, found[i]!))).dataSync()[0]!;
      return difference <= TOLERANCE * largest;
    });
  });
}
