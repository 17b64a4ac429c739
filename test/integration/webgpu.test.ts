import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadDataset } from "lockstep/data";
import { DATA_FILES } from "../../src/shared/data/dataset.ts";
import { STORED_SIDE, STORED_SIZE } from "../../src/shared/data/idx.ts";
import type { Split } from "../../src/shared/data/split.ts";
import { resultOf, useCli } from "../support/cli.ts";
import { webGpuMissing } from "../worker/engines/webgpu/webgpu-missing.ts";

/** A short run on whatever adapter is there. Where it computes on the processor, an image takes milliseconds. */

const reason = webGpuMissing === undefined ? "" : ` (${webGpuMissing})`;
const cli = useCli();

describe.skipIf(webGpuMissing !== undefined)(`the webgpu engine${reason}`, () => {
  it("trains in processes, to the same weights with one worker and two, and close to the wasm engine's", async () => {
    const { train, test } = await loadDataset();
    writeSplit(train, 640, DATA_FILES.trainImages, DATA_FILES.trainLabels);
    writeSplit(test, 200, DATA_FILES.testImages, DATA_FILES.testLabels);
    const run = async (engine: string, workers: number): Promise<Record<string, unknown>> => {
      const options = ["--data", ".", "--epochs", "1", "--metrics-port", "0", "--run-dir", `${engine}-${workers}`];
      const compute = ["--engine", engine, "--workers", String(workers), "--isolation", "process"];
      return resultOf(await cli.run(["train", ...options, ...compute, "--json"]));
    };
    const [wasm, one, two] = [await run("wasm", 1), await run("webgpu", 1), await run("webgpu", 2)];
    expect(one).toMatchObject({ engine: "webgpu", steps: 10, workers: 1, workersLost: 0 });
    expect(two).toMatchObject({ workers: 2, workersLost: 0, weightsSha256: one["weightsSha256"] });
    expect(Number(one["trainLoss"])).toBeCloseTo(Number(wasm["trainLoss"]), 4);
    expect(Math.abs(Number(one["testErrors"]) - Number(wasm["testErrors"]))).toBeLessThanOrEqual(2);
    expect(one["weightsSha256"]).not.toBe(wasm["weightsSha256"]);
  });
});

/** Writes the first `count` images of a split, and their classes, as IDX files. */
function writeSplit({ pixels, labels }: Split, count: number, imageFile: string, labelFile: string): void {
  const header = (magic: number, ...sizes: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 + 4 * sizes.length);
    for (const [i, value] of [magic, ...sizes].entries()) bytes.writeUInt32BE(value, 4 * i);
    return bytes;
  };
  const images = [header(0x803, count, STORED_SIDE, STORED_SIDE), pixels.subarray(0, count * STORED_SIZE)];
  writeFileSync(join(cli.folder(), imageFile), Buffer.concat(images));
  writeFileSync(join(cli.folder(), labelFile), Buffer.concat([header(0x801, count), labels.subarray(0, count)]));
}
