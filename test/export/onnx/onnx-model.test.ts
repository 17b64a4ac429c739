import { describe, expect, test } from "vitest";
import { onnxModel } from "../../../src/export/onnx/onnx-model.ts";
import { trainedNetwork } from "../../../src/export/trained-network.ts";
import { initialState } from "../../../src/shared/model/initialise.ts";

const CASES = [true, false].flatMap((isFolded) => [true, false].map((preprocesses) => ({ isFolded, preprocesses })));

describe.each(CASES)("folded $isFolded, with preprocessing $preprocesses", ({ isFolded, preprocesses }) => {
  const description = new Map([["step", "7"]]);
  const producer = { name: "lockstep", version: "0" };
  const { graph, metadataProps } = onnxModel(trainedNetwork(initialState(1), isFolded), {
    ...{ preprocesses, description, producer },
  });

  test("every node takes what is there by then, all of it is used, and the last gives the logits", () => {
    const there = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
    for (const { name, input, output } of graph.node) {
      expect(input.filter((each) => !there.has(each))).toEqual([]);
      for (const each of output) {
        expect(there.has(each), `${name} gives ${each} anew`).toBe(false);
        there.add(each);
      }
    }
    const used = new Set([...graph.node.flatMap(({ input }) => input), ...graph.output.map(({ name }) => name)]);
    expect([...there].filter((each) => !used.has(each))).toEqual([]);
    expect(graph.node.at(-1)?.output).toEqual(["logits"]);
  });

  test("normalises batches only where that is not folded", () => {
    expect(graph.node.filter(({ opType }) => opType === "BatchNormalization")).toHaveLength(isFolded ? 0 : 2);
  });

  test("tensors have as many bytes as their shapes say", () => {
    for (const { name, dims, rawData } of graph.initializer) {
      expect(rawData.length, name).toBe(dims.reduce((product, size) => product * size, 4));
    }
    expect(metadataProps).toEqual([{ key: "step", value: "7" }]);
  });
});
