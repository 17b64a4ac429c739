import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { stateSha256 } from "../../src/shared/checkpoint.ts";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { epoch } from "../coordinator/training-events.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { errorsOf, places, report, useMadeUpRun, writeData, writeMetrics, writeResult } from "./made-up-run.ts";

/** Which weights a report is of, and what it says of them. */

useMadeUpRun();

/** Four epochs of five steps, 320 images in each; 320 are held out, and the second epoch is the best on those. */
async function writeValidatedRun(options: Readonly<Record<string, unknown>> = {}): Promise<void> {
  writeFileSync(join(places.runDir, "config.json"), "{}");
  const config = { epochs: 4, batchSize: 64, data: places.data, validation: 320, ...options };
  const dataDigest = (await loadDataset(places.data)).digest;
  const counted = { testSamples: 200, epochSamples: 320 };
  const best = { epoch: 2, errors: 40, testErrors: 180 };
  const write = async (name: string, epochs: number, errors: number): Promise<void> => {
    const state = initialState(epochs);
    const progress = {
      ...counted,
      evaluatedEpochs: epochs,
      testErrors: 180,
      validation: { samples: 320, errors, best },
    };
    const checkpoint = checkpointOf(epochs * 5, { state, epoch: epochs, dataDigest, config, progress });
    await writeCheckpoint(join(places.runDir, "checkpoints", name), checkpoint);
  };
  await write("step-000010.safetensors", 2, 40);
  await write("step-000020.safetensors", 4, 44);
  symlinkSync("step-000010.safetensors", join(places.runDir, "checkpoints", "best"));
}

const LAST_OF_VALIDATED = { steps: 20, epochs: 4, weightsSha256: stateSha256(initialState(4)) };

describe("with validation images", () => {
  const BEST = { validationAccuracy: 0.875, validationErrors: 40, bestEpoch: 2 };
  beforeEach(() => writeData(200));

  test("is of the weights of the best epoch, marks it, and tells of the last weights beside them", async () => {
    await writeValidatedRun();
    writeResult({ ...LAST_OF_VALIDATED, ...BEST });
    const validation = (errors: number) => ({ validationAccuracy: 1 - errors / 320, validationErrors: errors });
    writeMetrics(...[50, 40, 43, 44].map((errors, i) => epoch({ epoch: i + 1, ...validation(errors), isBest: i < 2 })));
    const { page, warnings } = await report();
    expect(page).toMatch(
      /errors\. These are the weights of epoch 2, the best on the 320 validation images with 40 errors\./,
    );
    expect(page).toMatch(/Trained 4 epochs, 20 steps in/);
    expect(page).toContain(`Weights of epoch 2 (SHA-256) <code>${stateSha256(initialState(2))}</code>`);
    expect(page).toContain(`Last weights (SHA-256) <code>${stateSha256(initialState(4))}</code>`);
    expect(page.match(/<tr class="best"> <th scope="row">(\d)/)?.[1]).toBe("2");
    expect(page).toContain("<td>87.50 %</td> <td>40</td>");
    expect(page).toContain('class="key third"');
    expect(page).toContain("npx lockstep train --epochs 4 --validation 320");
    expect(page).toContain("320 of the training images");
    // The made-up weights make other errors than the made-up run counted: those of the best epoch are what is compared.
    expect(warnings).toEqual([expect.stringMatching(/^checkpoints\/best makes \d+ test errors here, but made 180/)]);
  });

  test("is of the last weights where these, amid an epoch, are better than any epoch's", async () => {
    await writeValidatedRun({ epochs: 9 });
    const state = initialState(5);
    const best = { epoch: 2, errors: 40, testErrors: 180 };
    const progress = { evaluatedEpochs: 4, testErrors: 180, testSamples: 200, epochSamples: 128 };
    const checkpoint = checkpointOf(22, {
      ...{ state, epoch: 4, dataDigest: (await loadDataset(places.data)).digest },
      config: { epochs: 9, batchSize: 64, data: places.data, validation: 320 },
      progress: { ...progress, validation: { samples: 320, errors: 44, best } },
    });
    await writeCheckpoint(join(places.runDir, "checkpoints", "step-000022.safetensors"), checkpoint);
    const counted = { testErrors: 170, validationAccuracy: 0.90625, validationErrors: 30, bestEpoch: null };
    writeResult({ steps: 22, epochs: 4, weightsSha256: stateSha256(state), endedBy: "time", ...counted });
    const { page, warnings } = await report();
    expect(page).toMatch(/last weights, better on the 320 validation images than any epoch&#39;s, with 30 errors\./);
    expect(page).toMatch(/Ended after 22 steps of 45/);
    expect(page).toContain(`Weights (SHA-256) <code>${stateSha256(state)}</code>`);
    expect(page).not.toContain("Last weights");
    expect(warnings).toEqual([expect.stringMatching(/step-000022.* but made 170 in the run/)]);
  });

  test("is of the last weights where the best are not there, and warns", async () => {
    await writeValidatedRun();
    rmSync(join(places.runDir, "checkpoints", "best"));
    const { page, warnings } = await report();
    expect(page).toMatch(/last weights: those of epoch 2, the best on the 320 validation images, cannot be read/);
    expect(warnings[0]).toMatch(/best does not exist.*: the report is of the last weights, not of those of epoch 2/);
  });

  test.each([
    [
      { epochs: 9, patience: 2 },
      "patience",
      /Ended after 4 of 9 epochs, 20 steps in .*: none of the last 2 was better/,
    ],
    [{ epochs: 9 }, "time", /Ended after 20 steps of 45 in .*: its time was up, and it can be resumed\./],
  ] as const)("says why it ended early: %j", async (options, endedBy, verdict) => {
    await writeValidatedRun(options);
    writeResult({ ...LAST_OF_VALIDATED, ...BEST, endedBy });
    const { page } = await report();
    expect(page).toMatch(verdict);
    expect(page.includes("and then the rest of the run")).toBe(endedBy === "time");
  });
});

test("tells what was counted of the weights with which a run's time was up amid an epoch, and draws it", async () => {
  writeData(200);
  const dataDigest = (await loadDataset(places.data)).digest;
  writeFileSync(join(places.runDir, "config.json"), "{}");
  const progress = { evaluatedEpochs: 1, testErrors: 190, testSamples: 200, epochSamples: 64 };
  const checkpoint = checkpointOf(11, {
    epoch: 1,
    dataDigest,
    config: { epochs: 3, batchSize: 64, data: places.data },
    progress,
  });
  await writeCheckpoint(join(places.runDir, "checkpoints", "step-000011.safetensors"), checkpoint);
  writeResult({ steps: 11, epochs: 1, endedBy: "time" });
  writeMetrics(epoch({ testAccuracy: 0.05 }));
  expect((await report()).page).toMatch(/the run itself has not evaluated these weights/);
  const testErrors = await errorsOf();
  const counted = { testAccuracy: 1 - testErrors / 200, testErrors, validationAccuracy: null, validationErrors: null };
  const logged = { time: "t", event: "end-evaluated", step: 11, msg: "The time is up", ...counted };
  writeFileSync(join(places.runDir, "log.ndjson"), `${JSON.stringify(logged)}\n`);
  const { page } = await report();
  expect(page).toMatch(/with the same errors as in the run/);
  expect(page).toMatch(/<title>test, 1\.1: /);
});
