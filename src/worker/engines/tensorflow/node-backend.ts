import type * as core from "@tensorflow/tfjs-core";

/** The parts of @tensorflow/tfjs-node and tfjs-node-gpu 4.22.0 that are used here; neither need be installed. */

export interface OpAttribute {
  readonly name: string;
  /** One of the binding's TF_ATTR_ constants. */
  readonly type: number;
  readonly value: boolean | number | string;
}

export interface NodeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(name: string, attributes: OpAttribute[], inputs: core.Tensor[]): core.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: OpAttribute[],
    inputs: core.Tensor[],
    outputCount: number,
  ): core.Tensor[];
}

interface Binding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_TYPE: number;
}

export type TensorFlow = Omit<typeof core, "backend"> & { backend(): NodeBackend };
