/** A trained network as an ONNX model: operators of set 17, one after the other, for any number of images at a time. */

import { BATCH_NORM_EPSILON, CLASS_COUNT } from "../../shared/model/lenet5.ts";
import { encodeValues, type Tensor } from "../../shared/safetensors.ts";
import { inputShape } from "../description.ts";
import { normalisationTable, stretchMatrix, stretchMatrixTransposed } from "../preprocessing.ts";
import { namedTensors, type TrainedNetwork } from "../trained-network.ts";
import {
  ONNX_ATTRIBUTE_TYPE,
  ONNX_DATA_TYPE,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "./messages.ts";

/** The version of the operators' definitions, and of the file format that came with it, both of 2022. */
const OPERATOR_SET = 17;
const IR_VERSION = 8;

export interface OnnxOptions {
  /** The model resizes and normalises images itself: its input is their pixels. */
  readonly preprocesses: boolean;
  readonly description: ReadonlyMap<string, string>;
  readonly producer: { readonly name: string; readonly version: string };
}

/** A model from `input`, in the shape that `inputShape` says, to `logits`, float32 [n, 10]. */
export function onnxModel(network: TrainedNetwork, { preprocesses, description, producer }: OnnxOptions): OnnxModel {
  const chain = new Chain("input");
  const initializers = [...namedTensors(network)];
  if (preprocesses) initializers.push(...addPreprocessing(chain));
  addLayers(chain, network);
  const shape = inputShape(preprocesses, "channels-first");
  return {
    irVersion: IR_VERSION,
    producerName: producer.name,
    producerVersion: producer.version,
    docString: "A model that lockstep trained; its metadata say what it takes and gives.",
    graph: {
      name: "lenet5",
      node: chain.nodes("logits"),
      initializer: initializers.map(([name, tensor]) => floats(name, tensor)),
      input: [floatValue("input", shape)],
      output: [floatValue("logits", [shape[0], CLASS_COUNT])],
    },
    opsetImport: [{ domain: "", version: OPERATOR_SET }],
    metadataProps: [...description].map(([key, value]) => ({ key, value })),
  };
}

/** Pixels [n, 1, 28, 28] to what the network sees, [n, 1, 32, 32]. @returns the tensors that this needs */
function addPreprocessing(chain: Chain): [string, Tensor][] {
  const scalar = (value: number): Tensor => ({ shape: [], values: Float32Array.of(value) });
  chain.add("stretch_rows", "MatMul", ["stretch", chain.last]);
  chain.add("stretch_columns", "MatMul", [chain.last, "stretch_transposed"]);
  chain.add("add_half", "Add", [chain.last, "half"]);
  chain.add("round", "Floor", [chain.last]);
  // A table has no place for a pixel that is none; without this a model ends with an error, or reads something else.
  chain.add("clip", "Clip", [chain.last, "darkest", "brightest"]);
  chain.add("bytes", "Cast", [chain.last], [int("to", ONNX_DATA_TYPE.int32)]);
  chain.add("normalise", "Gather", ["normalised", chain.last], [int("axis", 0)]);
  return [
    ["stretch", stretchMatrix()],
    ["stretch_transposed", stretchMatrixTransposed()],
    ["half", scalar(0.5)],
    ["darkest", scalar(0)],
    ["brightest", scalar(255)],
    ["normalised", normalisationTable()],
  ];
}

function addLayers(chain: Chain, { blocks, dense }: TrainedNetwork): void {
  blocks.forEach(({ name, weight, norm }, index) => {
    const kernel = weight.shape.slice(2);
    chain.add(name, "Conv", [chain.last, `${name}.weight`, `${name}.bias`], [ints("kernel_shape", kernel)]);
    if (norm !== undefined) {
      const parts = ["weight", "bias", "running_mean", "running_var"].map((part) => `${norm.name}.${part}`);
      chain.add(norm.name, "BatchNormalization", [chain.last, ...parts], [float("epsilon", BATCH_NORM_EPSILON)]);
    }
    chain.add(`relu${index + 1}`, "Relu", [chain.last]);
    chain.add(`pool${index + 1}`, "MaxPool", [chain.last], [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])]);
  });
  chain.add("flatten", "Flatten", [chain.last], [int("axis", 1)]);
  dense.forEach(({ name, hasRelu }, index) => {
    chain.add(name, "Gemm", [chain.last, `${name}.weight`, `${name}.bias`], [int("transB", 1)]);
    if (hasRelu) chain.add(`relu${blocks.length + index + 1}`, "Relu", [chain.last]);
  });
}

/** Operations each of which works on the one before; an operation's result has its name. */
class Chain {
  readonly #nodes: OnnxNode[] = [];
  #last: string;

  constructor(input: string) {
    this.#last = input;
  }

  /** The name of the last result. */
  get last(): string {
    return this.#last;
  }

  add(name: string, opType: string, input: readonly string[], attribute: readonly OnnxAttribute[] = []): void {
    this.#nodes.push({ name, opType, input, output: [name], attribute });
    this.#last = name;
  }

  /** @param output what the last result is called outside */
  nodes(output: string): OnnxNode[] {
    return this.#nodes.map((node) => (node.name === this.#last ? { ...node, output: [output] } : node));
  }
}

const float = (name: string, f: number): OnnxAttribute => ({ name, type: ONNX_ATTRIBUTE_TYPE.f, f });
const int = (name: string, i: number): OnnxAttribute => ({ name, type: ONNX_ATTRIBUTE_TYPE.i, i });
const ints = (name: string, list: readonly number[]): OnnxAttribute => ({
  ...{ name, type: ONNX_ATTRIBUTE_TYPE.ints, ints: list },
});

function floats(name: string, tensor: Tensor): OnnxTensor {
  return { name, dims: tensor.shape, dataType: ONNX_DATA_TYPE.float, rawData: encodeValues([tensor]) };
}

function floatValue(name: string, shape: readonly (string | number)[]): OnnxValue {
  const dim = shape.map((size) => (typeof size === "string" ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: ONNX_DATA_TYPE.float, shape: { dim } } } };
}
