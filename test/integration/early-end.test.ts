import { mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { train, type TrainingEvent, type TrainingResult, type TrainOptions } from "lockstep";
import { type Dataset, loadDataset } from "../../src/shared/data/dataset.ts";
import { holdOut } from "../../src/shared/data/held-out.ts";
import { InputSource } from "../../src/shared/data/input-source.ts";
import { readCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { runningStatistics } from "../../src/shared/model/contribution.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../../src/shared/model/lenet5.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { countCorrect } from "../../src/worker/task-runner.ts";
import { resultOf, useCli } from "../support/cli.ts";

/** Validation images, early stopping and a limit on time, in runs with real workers. */

const cli = useCli();
const folder = mkdtempSync(join(tmpdir(), "lockstep-early-"));
let mnist: Dataset;
let runs = 0;

beforeAll(async () => {
  mnist = await loadDataset();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every option that changes what is trained, beside the validation images. */
const REGULARISED = {
  ...{ epochs: 4, batchSize: 50, accumulate: 2, limitTrain: 2_000, validation: 300, lr: 0.004, clipNorm: 5 },
  ...{ schedule: "cosine", warmupEpochs: 0.5, weightDecay: 0.01, labelSmoothing: 0.1, augment: true, metricsPort: 0 },
} satisfies TrainOptions;

async function run(options: TrainOptions) {
  const handle = await train({ report: false, runDir: join(folder, `run-${runs++}`), ...options });
  const events: TrainingEvent[] = [];
  for await (const event of handle) events.push(event);
  return { result: await handle.result, events };
}

describe("with validation images", () => {
  let alone: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    alone = await run({ ...REGULARISED, workers: 1 });
  });

  test.each([
    { workers: 2, isolation: "thread" },
    { workers: 3, isolation: "process" },
  ] as const)("$workers workers ($isolation) come to the same weights and the same best epoch", async (how) => {
    const { result } = await run({ ...REGULARISED, ...how });
    const { weightsSha256, trainLoss, testErrors, validationErrors, bestEpoch, steps, samples } = alone.result;
    expect(result).toMatchObject({ weightsSha256, trainLoss, testErrors, validationErrors, bestEpoch, steps, samples });
    expect({ steps, samples }).toEqual({ steps: 4 * 17, samples: 4 * 1_700 });
  });

  test("the best checkpoint is that of the fewest validation errors, which are those of the images held out", async () => {
    const { result, events } = alone;
    const epochs = events.flatMap((event) => (event.type === "epoch" ? [event] : []));
    const fewest = Math.min(...epochs.map(({ validationErrors }) => validationErrors!));
    const best = epochs.find(({ validationErrors }) => validationErrors === fewest);
    expect(result).toMatchObject({
      ...{ bestEpoch: best?.epoch, validationErrors: fewest, testErrors: best?.testErrors },
      ...{ validationAccuracy: (300 - fewest) / 300, testAccuracy: best?.testAccuracy },
    });
    const checkpoints = join(result.runDir, "checkpoints");
    expect(readlinkSync(join(checkpoints, "best"))).toBe(
      `step-${String(best!.epoch * 17).padStart(6, "0")}.safetensors`,
    );
    expect(await errorsOn(await readCheckpoint(join(checkpoints, "best")))).toBe(fewest);
  });

  test("each option changes what is trained, and two halves of a batch count as one", async () => {
    const base = { ...REGULARISED, epochs: 1, workers: 1 };
    const { weightsSha256 } = (await run(base)).result;
    const changes = [{ weightDecay: 0.02 }, { labelSmoothing: 0 }, { warmupEpochs: 0.2 }, { validation: 299 }] as const;
    for (const change of changes) {
      const { result } = await run({ ...base, ...change });
      expect(result.weightsSha256, JSON.stringify(change)).not.toBe(weightsSha256);
    }
    const whole = await run({ ...base, batchSize: 100, accumulate: 1 });
    expect(whole.result.weightsSha256).toBe(weightsSha256);
  });
});

/** Validation images of the runs above that a checkpoint's weights get wrong, as counted by hand. */
async function errorsOn({ state }: Awaited<ReturnType<typeof readCheckpoint>>): Promise<number> {
  const held = holdOut(1, 2_000, 300).validation;
  const images = new Float32Array(held.length * IMAGE_SIZE);
  const labels = new Uint8Array(held.length);
  new InputSource(mnist.train).gather(held, images, labels);
  const engine = await createEngine("reference");
  engine.load(state.subarray(0, PARAMETER_COUNT));
  const { logits } = await engine.evaluate({ images, labels, ...runningStatistics(state.subarray(PARAMETER_COUNT)) });
  return held.length - countCorrect(logits, labels);
}

/** A command's result and what it said, once it has ended well. */
async function ends(...args: readonly string[]): Promise<{ result: TrainingResult; stderr: string }> {
  const ended = await cli.run([...args, "--json"], { LOCKSTEP_METRICS_PORT: "0" });
  expect(ended.code, ended.stderr).toBe(0);
  return { result: resultOf(ended) as unknown as TrainingResult, stderr: ended.stderr };
}

describe("early stopping", () => {
  const STOPPING = [
    "--validation",
    "200",
    "--limit-train",
    "1200",
    "--patience",
    "2",
    "--epochs",
    "60",
    "--lr",
    "0.01",
  ];

  test("ends a run that gets no better, says so, and has nothing left to do then", async () => {
    const { result, stderr } = await ends("train", ...STOPPING, "--run-dir", "patience", "--workers", "2");
    const { epochs, bestEpoch, weightsSha256, testErrors, validationErrors } = result;
    expect(result).toMatchObject({ endedBy: "patience", steps: epochs * 16, bestEpoch: epochs - 2 });
    expect(epochs).toBeLessThan(60);
    expect(stderr).toContain(`It is that of epoch ${bestEpoch}, the best on the validation images`);
    expect(stderr).toContain(`Ended after ${epochs} epochs: none of the last 2 epochs was better`);
    const again = await ends("train", "--resume", "--run-dir", "patience");
    expect(again.result).toMatchObject({ weightsSha256, epochs, bestEpoch, testErrors, validationErrors });
    await ends("train", "--resume", "--run-dir", "patience", "--patience", "3");
    const log = readFileSync(join(cli.folder(), "patience", "log.ndjson"), "utf8")
      .trim()
      .split("\n");
    const starts = log.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(starts.findLast(({ event }) => event === "run-resumed")).toMatchObject({ bestEpoch });
  });

  test("needs validation images", async () => {
    const { code, stderr } = await cli.run(["train", "--patience", "3"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--patience needs --validation images");
  });
});

describe("a limit on time", () => {
  const OPTIONS = ["--limit-train", "6400", "--workers", "2"];

  test("ends a run, wherever it is, with its accuracy, and it is resumed to the same weights", async () => {
    const limited = [...OPTIONS, "--epochs", "1000", "--max-minutes", "0.2"];
    const { result: first, stderr } = await ends("train", ...limited, "--run-dir", "time");
    expect(first.endedBy).toBe("time");
    expect(first.steps).toBeLessThan(1000 * 100);
    expect(stderr).toMatch(/Ended after \d+ epochs?: the time is up/);
    const evaluation = await ends("eval", "--checkpoint", first.checkpoint);
    expect(evaluation.result.testErrors).toBe(first.testErrors);
    // With a constant learning rate there may be fewer epochs than was thought.
    const enough = ["--epochs", String(first.epochs + 1)];
    const { result: rest } = await ends("train", "--resume", "--run-dir", "time", ...enough);
    const { result: whole } = await ends("train", ...OPTIONS, ...enough, "--run-dir", "undisturbed");
    const { weightsSha256, testErrors, trainLoss, epochs, steps } = whole;
    expect(rest).toMatchObject({ weightsSha256, testErrors, trainLoss, epochs, steps, resumedFrom: first.steps });
    expect(rest.endedBy).toBeUndefined();
  });
});
