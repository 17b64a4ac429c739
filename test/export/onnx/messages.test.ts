import { expect, test } from "vitest";
import { encodeOnnxModel, type OnnxValue } from "../../../src/export/onnx/messages.ts";

/** Made by `onnx.ModelProto(...).SerializeToString(deterministic=True)` of the Python package onnx 1.23.2. */
const GOLDEN =
  "08081201701a01313201643a94010a4e0a01780a01771201791a0566697273742204436f6e762a110a07657073696c6f6e15acc52737a001012a0b" +
  "0a04617869731801a001022a160a0c6b65726e656c5f7368617065400240ac02a001071201672a130802080110014201774a080000c03f000000c0" +
  "5a140a0178120f0a0d080112090a0312016e0a02080162140a0179120f0a0d080112090a0312016e0a02080242040a00101172060a016b120176";

test("a model with a value in every field has the bytes that the format's own package gives it", () => {
  const value = (name: string, size: number): OnnxValue => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "n" }, { dimValue: size }] } } },
  });
  const attribute = [
    { name: "epsilon", type: 1, f: 1e-5 },
    { name: "axis", type: 2, i: 1 },
    { name: "kernel_shape", type: 7, ints: [2, 300] },
  ];
  const rawData = new Uint8Array(Float32Array.of(1.5, -2).buffer);
  const bytes = encodeOnnxModel({
    ...{ irVersion: 8, producerName: "p", producerVersion: "1", docString: "d" },
    graph: {
      name: "g",
      node: [{ input: ["x", "w"], output: ["y"], name: "first", opType: "Conv", attribute }],
      initializer: [{ dims: [2, 1], dataType: 1, name: "w", rawData }],
      input: [value("x", 1)],
      output: [value("y", 2)],
    },
    opsetImport: [{ domain: "", version: 17 }],
    metadataProps: [{ key: "k", value: "v" }],
  });
  expect(Buffer.from(bytes).toString("hex")).toBe(GOLDEN);
});
