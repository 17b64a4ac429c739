import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDemoModel } from "../../src/demo/demo-model.ts";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { DATA_FILES } from "../../src/shared/data/dataset.ts";
import { encodeImages, encodeLabels, STORED_SIZE } from "../../src/shared/data/idx.ts";
import { checkpointOf, evaluatedCheckpoint } from "../support/checkpoints.ts";

let folder: string;
const path = (name: string): string => join(folder, name);
const NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-model-test-"));
  mkdirSync(path("data"));
  const images = encodeImages(new Uint8Array(2 * STORED_SIZE));
  const labels = encodeLabels(Uint8Array.of(7, 7));
  for (const name of [DATA_FILES.trainImages, DATA_FILES.testImages]) writeFileSync(join(path("data"), name), images);
  for (const name of [DATA_FILES.trainLabels, DATA_FILES.testLabels]) writeFileSync(join(path("data"), name), labels);
  writeFileSync(join(path("data"), "classes.txt"), NAMES.join("\n"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("tells of the run, its data's classes, and what was measured of these very weights", async () => {
  mkdirSync(path("mine/checkpoints"), { recursive: true });
  const checkpoint = path("mine/checkpoints/best");
  await writeCheckpoint(checkpoint, evaluatedCheckpoint(2, 66, { config: { data: path("data") } }));
  const { card, samples, notes } = await openDemoModel({ checkpoint });
  expect(card).toMatchObject({ run: "mine", checkpoint, step: 20, epoch: 2, testAccuracy: 0.9934, classNames: NAMES });
  expect(card.sampleLabels).toEqual([7, 7]);
  expect(samples.pixels).toHaveLength(2 * STORED_SIZE);
  expect(notes).toEqual(["the checkpoint was trained on other data than data"]);
});

test("claims no accuracy for weights in the middle of an epoch, and no run for a file elsewhere", async () => {
  const changes = { epoch: 1, config: { batchSize: 100, data: path("data") } };
  const progress = { evaluatedEpochs: 1, testErrors: 66, epochSamples: 500 };
  await writeCheckpoint(path("midway"), checkpointOf(15, { ...changes, progress }));
  const { card } = await openDemoModel({ checkpoint: path("midway") });
  expect([card.testAccuracy, card.run]).toEqual([null, null]);
});

test("does without a run's data that are gone, but not without those that are asked for", async () => {
  await writeCheckpoint(path("moved"), checkpointOf(10, { config: { data: path("gone") } }));
  const { card, notes } = await openDemoModel({ checkpoint: path("moved") });
  expect(card.sampleLabels).toEqual([]);
  expect(notes).toEqual([expect.stringMatching(/^the page shows no test images: .*gone does not exist/)]);
  const asked = openDemoModel({ checkpoint: path("moved"), data: path("gone") });
  await expect(asked).rejects.toMatchObject({ code: "refused" });
});
