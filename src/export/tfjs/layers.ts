/** A trained network as the layers of a sequential model of TensorFlow.js, which are Keras' layers. */

import { STORED_SIDE } from "../../shared/data/idx.ts";
import { BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM } from "../../shared/model/lenet5.ts";
import type { Tensor } from "../../shared/safetensors.ts";
import { normalisationTable, stretchMatrixTransposed } from "../preprocessing.ts";
import type { ConvolutionBlock, TrainedNetwork } from "../trained-network.ts";
import { transpose } from "../transpose.ts";
import { channelsLastRows, convolutionKernel } from "./layouts.ts";

export interface TfjsLayer {
  readonly className: string;
  /** As JSON holds it. Its `name` is the layer's. */
  readonly config: { readonly name: string } & Readonly<Record<string, unknown>>;
  /** By the names that the layer's class gives them. */
  readonly weights: readonly (readonly [name: string, tensor: Tensor])[];
}

/** Layers from what the network sees, [n, 32, 32, 1], to logits, [n, 10]. */
export function networkLayers({ blocks, dense }: TrainedNetwork): TfjsLayer[] {
  const [first, ...others] = dense;
  const channels = blocks.at(-1)?.bias.values.length ?? 0;
  // Images lie channel after channel in the weights, pixel after pixel in TensorFlow.js.
  const reordered = first === undefined ? [] : [{ ...first, weight: channelsLastRows(first.weight, channels) }];
  return [
    ...blocks.flatMap(blockLayers),
    layer("Flatten", "flatten", { data_format: "channels_last" }),
    ...[...reordered, ...others].map(({ name, weight, bias, hasRelu }) =>
      layer("Dense", name, { units: bias.values.length, activation: hasRelu ? "relu" : "linear", use_bias: true }, [
        ["kernel", transpose(weight)],
        ["bias", bias],
      ]),
    ),
  ];
}

function blockLayers({ name, weight, bias, norm }: ConvolutionBlock): TfjsLayer[] {
  const convolution = layer(
    "Conv2D",
    name,
    {
      ...{ filters: bias.values.length, kernel_size: weight.shape.slice(2), strides: [1, 1], padding: "valid" },
      ...{ data_format: "channels_last", activation: "linear", use_bias: true },
    },
    [
      ["kernel", convolutionKernel(weight)],
      ["bias", bias],
    ],
  );
  const number = name.replace("conv", "");
  const rest = [
    layer("Activation", `relu${number}`, { activation: "relu" }),
    layer("MaxPooling2D", `pool${number}`, {
      ...{ pool_size: [2, 2], strides: [2, 2], padding: "valid", data_format: "channels_last" },
    }),
  ];
  if (norm === undefined) return [convolution, ...rest];
  const normalisation = layer(
    "BatchNormalization",
    norm.name,
    // Keras' momentum is the share of the old value that is kept, PyTorch's that of the new one that is taken.
    { axis: 3, epsilon: BATCH_NORM_EPSILON, momentum: 1 - BATCH_NORM_MOMENTUM, center: true, scale: true },
    [
      ["gamma", norm.scale],
      ["beta", norm.shift],
      ["moving_mean", norm.mean],
      ["moving_variance", norm.variance],
    ],
  );
  return [convolution, normalisation, ...rest];
}

/**
 * Layers from pixels, [n, 28, 28, 1], to what the network sees, for a model that is to do that itself. Two dense layers
 * without training stretch columns and rows; an embedding, a table of one number for each byte, rounds down and normalises.
 */
export function preprocessingLayers(): TfjsLayer[] {
  const stretch = stretchMatrixTransposed();
  const [, side = 0] = stretch.shape;
  const table = normalisationTable();
  const half: Tensor = { shape: [side], values: new Float32Array(side).fill(0.5) };
  const dense = { units: side, activation: "linear", trainable: false };
  return [
    layer("Reshape", "rows_of_pixels", { target_shape: [STORED_SIDE, STORED_SIDE] }),
    layer("Dense", "stretch_columns", { ...dense, use_bias: false }, [["kernel", stretch]]),
    layer("Permute", "columns_of_pixels", { dims: [2, 1] }),
    layer("Dense", "stretch_rows", { ...dense, use_bias: true }, [
      ["kernel", stretch],
      ["bias", half],
    ]),
    layer("Permute", "rows_again", { dims: [2, 1] }),
    layer("Embedding", "normalise", { input_dim: table.values.length, output_dim: 1, trainable: false }, [
      ["embeddings", { shape: [table.values.length, 1], values: table.values }],
    ]),
  ];
}

function layer(
  className: string,
  name: string,
  config: Readonly<Record<string, unknown>>,
  weights: TfjsLayer["weights"] = [],
): TfjsLayer {
  return { className, config: { name, trainable: true, ...config }, weights };
}
