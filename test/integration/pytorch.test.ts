import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { PARAMETER_COUNT, readCheckpoint } from "lockstep/checkpoint";
import { InputSource, loadDataset } from "lockstep/data";
import { createEngine } from "lockstep/engine";
import { runningStatistics } from "../../src/shared/model/contribution.ts";
import { CLASS_COUNT, IMAGE_SIZE } from "../../src/shared/model/lenet5.ts";
import { resultOf, useCli } from "../support/cli.ts";

/** What PyTorch makes of a checkpoint, read with the safetensors package, is what lockstep makes of it. */

const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("pytorch_checkpoint.py", import.meta.url));
const isInstalled = spawnSync(PYTHON, ["-c", "import numpy, torch, safetensors.torch"]).status === 0;
const INSTALL = `${PYTHON} needs torch, numpy and safetensors: pip install torch numpy safetensors; PYTHON names another`;

/** Images whose logits are compared one by one. */
const COMPARED = 1_000;
/** Of the largest logit: float32 sums of up to 400 products, in another order. */
const TOLERANCE = 1e-5;

const cli = useCli();

it.skipIf(!isInstalled)(
  `PyTorch computes the same with a checkpoint${isInstalled ? "" : ` (${INSTALL})`}`,
  async () => {
    const options = ["--limit-train", "8000", "--epochs", "1", "--workers", "2", "--metrics-port", "0", "--json"];
    const { checkpoint: saved } = resultOf(await cli.run(["train", ...options, "--run-dir", "run"]));
    const path = join(cli.folder(), String(saved));
    const evaluated = resultOf(await cli.run(["eval", "--checkpoint", path, "--json"]));

    const { test } = await loadDataset();
    const images = new Float32Array(test.count * IMAGE_SIZE);
    const labels = new Uint8Array(test.count);
    new InputSource(test).gatherRange(0, test.count, images, labels);
    const [imageFile, labelFile, logitFile] = ["images", "labels", "logits"].map((name) => join(cli.folder(), name));
    writeFileSync(imageFile!, images);
    writeFileSync(labelFile!, labels);
    const args = [SCRIPT, path, imageFile!, labelFile!, String(COMPARED), logitFile!];
    const theirs = JSON.parse(execFileSync(PYTHON, args, { encoding: "utf8" })) as Record<string, unknown>;

    const checkpoint = await readCheckpoint(path);
    const metadata = { format: "lockstep-checkpoint", formatVersion: "2", step: String(checkpoint.step) };
    expect(theirs["metadata"]).toMatchObject({ ...metadata, weightsSha256: evaluated["weightsSha256"] });

    const engine = await createEngine("wasm");
    engine.load(checkpoint.state.subarray(0, PARAMETER_COUNT));
    const running = runningStatistics(checkpoint.state.subarray(PARAMETER_COUNT));
    const batch = { images: images.subarray(0, COMPARED * IMAGE_SIZE), labels: labels.subarray(0, COMPARED) };
    const { logits: ours } = await engine.evaluate({ ...batch, ...running });
    const logits = new Float32Array(new Uint8Array(readFileSync(logitFile!)).buffer);
    expect(logits).toHaveLength(COMPARED * CLASS_COUNT);
    const largest = logits.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const difference = logits.reduce((max, value, i) => Math.max(max, Math.abs(value - ours[i]!)), 0);
    expect(difference / largest).toBeLessThan(TOLERANCE);
    expect(choices(logits)).toEqual(choices(ours));
    await engine.dispose();

    expect(theirs["samples"]).toBe(test.count);
    // An image whose two largest logits are equal but for rounding may be counted either way.
    expect(Math.abs(Number(theirs["errors"]) - Number(evaluated["testErrors"]))).toBeLessThanOrEqual(1);
    expect(Number(evaluated["testErrors"])).toBeLessThan(1_000);
  },
);

/** The class of the largest logit of each image; the first of equals. */
function choices(logits: Float32Array): number[] {
  return Array.from({ length: logits.length / CLASS_COUNT }, (_, i) => {
    const row = logits.subarray(i * CLASS_COUNT, (i + 1) * CLASS_COUNT);
    return row.indexOf(Math.max(...row));
  });
}
