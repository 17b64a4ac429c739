/**
 * Models in ONNX's file format (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), with the messages and fields
 * that are written here and no others. Field names are the format's own in camel case, numbers are its own.
 */

import protobuf from "protobufjs/light.js";
import { invariant } from "../../shared/errors.ts";

export interface OnnxModel {
  readonly irVersion: number;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly docString: string;
  readonly graph: OnnxGraph;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
}

export interface OnnxGraph {
  readonly node: readonly OnnxNode[];
  readonly name: string;
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxValue[];
  readonly output: readonly OnnxValue[];
}

export interface OnnxNode {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly attribute: readonly OnnxAttribute[];
}

/** Exactly one of `f`, `i` and `ints`, as `type` says. */
export interface OnnxAttribute {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly ints?: readonly number[];
}

export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly name: string;
  /** Little-endian. */
  readonly rawData: Uint8Array;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: { readonly tensorType: { readonly elemType: number; readonly shape: OnnxShape } };
}

export interface OnnxShape {
  readonly dim: readonly ({ readonly dimValue: number } | { readonly dimParam: string })[];
}

/** `TensorProto.DataType`. */
export const ONNX_DATA_TYPE = { float: 1, int32: 6 } as const;
/** `AttributeProto.AttributeType`. */
export const ONNX_ATTRIBUTE_TYPE = { f: 1, i: 2, ints: 7 } as const;

type Fields = Readonly<Record<string, protobuf.IField>>;
const one = (type: string, id: number): protobuf.IField => ({ type, id });
const many = (type: string, id: number): protobuf.IField => ({ rule: "repeated", type, id });
/** As the format's definition has them, which is older than packed numbers. */
const manyNumbers = (type: string, id: number): protobuf.IField => ({ ...many(type, id), options: { packed: false } });
const message = (fields: Fields): protobuf.IType => ({ fields });

const MODEL = protobuf.Root.fromJSON({
  nested: {
    Model: message({
      irVersion: one("int64", 1),
      producerName: one("string", 2),
      producerVersion: one("string", 3),
      docString: one("string", 6),
      graph: one("Graph", 7),
      opsetImport: many("OperatorSetId", 8),
      metadataProps: many("StringStringEntry", 14),
    }),
    OperatorSetId: message({ domain: one("string", 1), version: one("int64", 2) }),
    StringStringEntry: message({ key: one("string", 1), value: one("string", 2) }),
    Graph: message({
      node: many("Node", 1),
      name: one("string", 2),
      initializer: many("Tensor", 5),
      input: many("ValueInfo", 11),
      output: many("ValueInfo", 12),
    }),
    Node: message({
      input: many("string", 1),
      output: many("string", 2),
      name: one("string", 3),
      opType: one("string", 4),
      attribute: many("Attribute", 5),
    }),
    Attribute: message({
      name: one("string", 1),
      f: one("float", 2),
      i: one("int64", 3),
      ints: manyNumbers("int64", 8),
      type: one("int32", 20),
    }),
    Tensor: message({
      dims: manyNumbers("int64", 1),
      dataType: one("int32", 2),
      name: one("string", 8),
      rawData: one("bytes", 9),
    }),
    ValueInfo: message({ name: one("string", 1), type: one("Type", 2) }),
    Type: message({ tensorType: one("TensorType", 1) }),
    TensorType: message({ elemType: one("int32", 1), shape: one("TensorShape", 2) }),
    TensorShape: message({ dim: many("Dimension", 1) }),
    Dimension: message({ dimValue: one("int64", 1), dimParam: one("string", 2) }),
  },
}).lookupType("Model");

/** The content of a model's file. */
export function encodeOnnxModel(model: OnnxModel): Uint8Array {
  const content = { ...model };
  const fault = MODEL.verify(content);
  invariant(fault === null, `an ONNX model with a wrong field: ${String(fault)}`);
  return MODEL.encode(content).finish();
}
