/**
 * A trained network in the layers format of TensorFlow.js: `model.json`, the layers and the places of their weights, and
 * the weights' file beside it.
 */

import { createHash } from "node:crypto";
import { encodeValues } from "../../shared/safetensors.ts";
import { inputShape } from "../description.ts";
import type { TrainedNetwork } from "../trained-network.ts";
import { networkLayers, preprocessingLayers } from "./layers.ts";

/** The file that `tf.loadLayersModel` is given; it names the other one. */
export const TFJS_MODEL_FILE = "model.json";
/** Names of weights' files, and of nothing else. */
export const TFJS_WEIGHTS_FILE = /^weights-[0-9a-f]{8}\.bin$/;

export interface TfjsModel {
  readonly weightsFile: string;
  readonly weights: Uint8Array;
  /** The content of `TFJS_MODEL_FILE`. */
  readonly model: Uint8Array;
}

export interface TfjsOptions {
  /** The model resizes and normalises images itself: its input is their pixels. */
  readonly preprocesses: boolean;
  readonly description: ReadonlyMap<string, string>;
  readonly generator: string;
}

export function tfjsModel(network: TrainedNetwork, { preprocesses, description, generator }: TfjsOptions): TfjsModel {
  const [, ...size] = inputShape(preprocesses, "channels-last");
  const input = {
    class_name: "InputLayer",
    config: { name: "input", dtype: "float32", batch_input_shape: [null, ...size] },
  };
  const layers = [...(preprocesses ? preprocessingLayers() : []), ...networkLayers(network)];
  const named = layers.flatMap(({ config, weights }) =>
    weights.map(([name, tensor]) => ({ name: `${config.name}/${name}`, tensor })),
  );
  const weights = encodeValues(named.map(({ tensor }) => tensor));
  // Named after its content: a browser that has kept an older file never takes it for this one.
  const weightsFile = `weights-${createHash("sha256").update(weights).digest("hex").slice(0, 8)}.bin`;
  const model = {
    format: "layers-model",
    generatedBy: generator,
    convertedBy: null,
    modelTopology: {
      class_name: "Sequential",
      config: {
        name: "lenet5",
        layers: [input, ...layers.map(({ className, config }) => ({ class_name: className, config }))],
      },
    },
    weightsManifest: [
      {
        paths: [weightsFile],
        weights: named.map(({ name, tensor }) => ({ name, shape: tensor.shape, dtype: "float32" })),
      },
    ],
    userDefinedMetadata: Object.fromEntries(description),
  };
  return { weightsFile, weights, model: new TextEncoder().encode(`${JSON.stringify(model, null, 1)}\n`) };
}
