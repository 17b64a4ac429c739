import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exportCommand } from "../../src/commands/export.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { stateSha256 } from "../../src/shared/checkpoint.ts";
import type { ExportConfig } from "../../src/shared/config.ts";
import { PARAMETERS, STATISTICS } from "../../src/shared/model/lenet5.ts";
import { decodeTensorFile } from "../../src/shared/safetensors.ts";
import { checkpointOf } from "../support/checkpoints.ts";

const CHECKPOINT = checkpointOf(938, { epoch: 1 });

let folder: string;
let source: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-export-"));
  source = join(folder, "step-000938.safetensors");
  await writeCheckpoint(source, CHECKPOINT);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(options: Partial<ExportConfig>): Promise<string> {
  let said = "";
  const flags = { force: false, foldBatchNorm: false, withPreprocessing: false, quiet: false };
  const config = { checkpoint: source, format: "safetensors", ...flags, ...options } as const;
  expect(await exportCommand(config, { stdout: { write: (text) => (said += text) } })).toBe(0);
  return said;
}

describe("a safetensors model", () => {
  test("holds PyTorch's tensors with the averaged values, and nothing of the optimizer", async () => {
    const out = join(folder, "model.safetensors");
    const said = await run({ out });
    expect(said).toContain(`Wrote ${out}: the model after step 938 of ${source}\n`);
    expect(said).toContain("Input: float32 [n, 1, 32, 32]: pixels");
    const { tensors, metadata } = decodeTensorFile(readFileSync(out), out);
    const specs = [...PARAMETERS, ...STATISTICS];
    expect([...tensors.keys()]).toEqual(specs.map(({ name }) => name));
    for (const { name, shape, offset, size } of specs) {
      expect(tensors.get(name), name).toEqual({ shape, values: CHECKPOINT.state.slice(offset, offset + size) });
    }
    expect(Object.fromEntries(metadata)).toMatchObject({
      ...{ format: "pt", step: "938", epoch: "1", seed: "1", pixelMean: "0.1307", pixelStd: "0.3081" },
      weightsSha256: stateSha256(CHECKPOINT.state),
    });
  });

  test("says that it is none to train on with", async () => {
    const out = join(folder, "model.safetensors");
    await run({ out, quiet: true });
    await expect(readCheckpoint(out)).rejects.toMatchObject({ code: "refused" });
  });

  test("has no operations, and so no preprocessing", async () => {
    const out = join(folder, "model.safetensors");
    await expect(run({ out, withPreprocessing: true })).rejects.toMatchObject({
      ...{ code: "usage", message: expect.stringContaining("--with-preprocessing is not for --format safetensors") },
    });
    expect(readdirSync(folder)).toEqual(["step-000938.safetensors"]);
  });
});

test.each(["safetensors", "tfjs", "onnx"] as const)("with %s, a damaged checkpoint gives no model", async (format) => {
  const bytes = readFileSync(source);
  bytes[bytes.length - 100]! ^= 1;
  writeFileSync(source, bytes);
  await expect(run({ format, out: join(folder, "model") })).rejects.toMatchObject({ code: "refused", exitCode: 4 });
  expect(readdirSync(folder)).toEqual(["step-000938.safetensors"]);
});

test("a checkpoint is never replaced by its own model, over no link", async () => {
  symlinkSync("step-000938.safetensors", join(folder, "best"));
  for (const [checkpoint, out] of [
    [source, source],
    [join(folder, "best"), source],
    [source, join(folder, "best")],
  ]) {
    await expect(run({ checkpoint: checkpoint!, out: out!, force: true })).rejects.toMatchObject({ code: "usage" });
  }
  expect((await readCheckpoint(source)).step).toBe(938);
  // A copy is another file.
  copyFileSync(source, join(folder, "copy"));
  await run({ out: join(folder, "copy"), force: true });
});

test("the same checkpoint gives the same files", async () => {
  for (const format of ["onnx", "safetensors"] as const) {
    const outs = ["one", "two"].map((name) => join(folder, `${name}.${format}`));
    for (const out of outs) await run({ format, out, quiet: true });
    expect(readFileSync(outs[0]!).equals(readFileSync(outs[1]!))).toBe(true);
  }
});
