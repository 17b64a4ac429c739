import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setBackend, tensor4d, type Tensor } from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PARAMETER_COUNT, readCheckpoint } from "lockstep/checkpoint";
import { CLASS_COUNT, IMAGE_SIDE, IMAGE_SIZE, InputSource, loadDataset, STORED_SIDE, STORED_SIZE } from "lockstep/data";
import { createEngine } from "lockstep/engine";
import { runningStatistics } from "../../src/shared/model/contribution.ts";
import { resultOf, RunningCommand } from "../support/cli.ts";

await import("@tensorflow/tfjs-backend-cpu");

/** Other programs compute with an exported model what lockstep does with its checkpoint. */

const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("export_parity.py", import.meta.url));
const canImport = (modules: string): boolean => spawnSync(PYTHON, ["-c", `import ${modules}`]).status === 0;
const hasTorch = canImport("numpy, torch, safetensors.torch");
const hasOnnxruntime = canImport("numpy, onnxruntime");
const lacking = (has: boolean, packages: string): string =>
  has ? "" : ` (${PYTHON} needs ${packages}: pip install ${packages}; PYTHON names another)`;

/** Of the largest logit: float32 sums in another order, with batch normalisation folded or not. */
const TOLERANCE = 1e-5;
/** TensorFlow.js takes a quarter of a minute for all 10,000 in plain JavaScript. */
const TFJS_IMAGES = Number(process.env["TFJS_IMAGES_FOR_TESTS"] ?? 2_000);
/** Images at a time. */
const CHUNK = 500;

interface Inputs {
  readonly side: number;
  /** [n, side, side] */
  readonly values: Float32Array;
  readonly path: string;
}

let folder: string;
let checkpoint: string;
let weightsSha256: unknown;
/** What the network sees, and the pixels of the same images. */
let prepared: Inputs;
let pixels: Inputs;
/** [n, 10] */
let expected: Float32Array;

async function lockstep(...args: string[]): Promise<ReturnType<RunningCommand["ended"]>> {
  return new RunningCommand(args, folder, { LOCKSTEP_REPORT: "false" }).ended();
}

/** Exports the checkpoint. @returns where to */
async function exported(name: string, ...options: string[]): Promise<string> {
  const { code, stderr } = await lockstep("export", "--checkpoint", checkpoint, "--out", name, ...options);
  expect(code, stderr).toBe(0);
  return join(folder, name);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-export-test-"));
  const options = ["--limit-train", "8000", "--epochs", "1", "--workers", "2", "--metrics-port", "0", "--json"];
  const result = resultOf(await lockstep("train", ...options, "--run-dir", "run"));
  checkpoint = join(folder, String(result["checkpoint"]));
  weightsSha256 = result["weightsSha256"];

  const { test } = await loadDataset();
  const images = new Float32Array(test.count * IMAGE_SIZE);
  const labels = new Uint8Array(test.count);
  new InputSource(test).gatherRange(0, test.count, images, labels);
  const inputs = (name: string, side: number, values: Float32Array): Inputs => {
    const path = join(folder, name);
    writeFileSync(path, values);
    return { side, values, path };
  };
  prepared = inputs("prepared", IMAGE_SIDE, images);
  pixels = inputs("pixels", STORED_SIDE, Float32Array.from(test.pixels.subarray(0, test.count * STORED_SIZE)));

  const { state } = await readCheckpoint(checkpoint);
  const engine = await createEngine("wasm");
  engine.load(state.subarray(0, PARAMETER_COUNT));
  const running = runningStatistics(state.subarray(PARAMETER_COUNT));
  expected = new Float32Array(test.count * CLASS_COUNT);
  for (let start = 0; start < test.count; start += CHUNK) {
    const batch = {
      images: images.subarray(start * IMAGE_SIZE, (start + CHUNK) * IMAGE_SIZE),
      labels: labels.subarray(start, start + CHUNK),
    };
    const { logits } = await engine.evaluate({ ...batch, ...running });
    expected.set(logits, start * CLASS_COUNT);
  }
  await engine.dispose();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const VARIANTS = [
  { what: "as it is", options: [] },
  { what: "with batch normalisation folded", options: ["--fold-batch-norm"] },
];
const WITH_PREPROCESSING = { what: "with preprocessing", options: ["--with-preprocessing"] };

describe(`PyTorch with safetensors${lacking(hasTorch, "torch numpy safetensors")}`, () => {
  it.skipIf(!hasTorch).each(VARIANTS)("computes the same, $what", async ({ options }) => {
    const model = await exported(`model-${options.length}.safetensors`, "--format", "safetensors", ...options);
    const { metadata } = inPython(options.length === 0 ? "torch" : "torch-folded", model, prepared);
    expect(metadata).toMatchObject({ format: "pt", weightsSha256, pixelMean: "0.1307", pixelStd: "0.3081" });
  });
});

describe(`ONNX Runtime${lacking(hasOnnxruntime, "onnxruntime numpy")}`, () => {
  it.skipIf(!hasOnnxruntime).each([...VARIANTS, WITH_PREPROCESSING])(
    "computes the same, $what",
    async ({ what, options }) => {
      const inputs = what === "with preprocessing" ? pixels : prepared;
      const model = await exported(`${what.replaceAll(" ", "-")}.onnx`, "--format", "onnx", ...options);
      const about = inPython("onnx", model, inputs);
      expect(about).toMatchObject({ producer: "lockstep", input: "input", shape: ["n", 1, inputs.side, inputs.side] });
      expect(about["metadata"]).toMatchObject({ weightsSha256, pixelMean: "0.1307", pixelStd: "0.3081" });
    },
  );
});

describe("TensorFlow.js", () => {
  it.each([...VARIANTS, WITH_PREPROCESSING])("computes the same, $what", async ({ what, options }) => {
    const inputs = what === "with preprocessing" ? pixels : prepared;
    const name = `tfjs-${what.replaceAll(" ", "-")}`;
    const path = await exported(name, "--format", "tfjs", ...options);
    // The way to a model's files is the browser's.
    const server = createServer((request, response) => {
      response.end(readFileSync(join(path, basename(request.url ?? ""))));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await setBackend("cpu");
      const { port } = server.address() as AddressInfo;
      const model = await loadLayersModel(`http://127.0.0.1:${port}/model.json`);
      expect(model.getUserDefinedMetadata()).toMatchObject({ weightsSha256, pixelMean: "0.1307" });
      const logits = new Float32Array(TFJS_IMAGES * CLASS_COUNT);
      const size = inputs.side * inputs.side;
      for (let start = 0; start < TFJS_IMAGES; start += CHUNK) {
        const values = inputs.values.subarray(start * size, Math.min(start + CHUNK, TFJS_IMAGES) * size);
        const batch = tensor4d(values, [values.length / size, inputs.side, inputs.side, 1]);
        const computed = model.predict(batch) as Tensor;
        logits.set(await computed.data<"float32">(), start * CLASS_COUNT);
        batch.dispose();
        computed.dispose();
      }
      expectTheSame(logits, expected.subarray(0, logits.length));
      model.dispose();
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

/** @returns what the model says about itself, once its logits are found to be those of lockstep */
function inPython(kind: "torch" | "torch-folded" | "onnx", model: string, inputs: Inputs): Record<string, unknown> {
  const logitFile = `${model}.logits`;
  const args = [SCRIPT, kind, model, inputs.path, String(inputs.side), logitFile];
  const about = JSON.parse(execFileSync(PYTHON, args, { encoding: "utf8" })) as Record<string, unknown>;
  expectTheSame(new Float32Array(new Uint8Array(readFileSync(logitFile)).buffer), expected);
  return about;
}

function expectTheSame(logits: Float32Array, ours: Float32Array): void {
  expect(logits).toHaveLength(ours.length);
  const largest = ours.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const difference = logits.reduce((max, value, i) => Math.max(max, Math.abs(value - ours[i]!)), 0);
  expect(difference / largest).toBeLessThanOrEqual(TOLERANCE);
  expect(classes(logits)).toEqual(classes(ours));
}

/** The class of the largest logit of each image; the first of equals. */
function classes(logits: Float32Array): number[] {
  return Array.from({ length: logits.length / CLASS_COUNT }, (_, i) => {
    const row = logits.subarray(i * CLASS_COUNT, (i + 1) * CLASS_COUNT);
    return row.indexOf(Math.max(...row));
  });
}
