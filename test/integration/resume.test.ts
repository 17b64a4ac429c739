import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
// The built package, as a program would use it.
import { train } from "lockstep";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { encodeImages, encodeLabels } from "../../src/shared/data/idx.ts";
import { type Ended, type RunningCommand, resultOf, useCli } from "../support/cli.ts";

/** `--resume`, as a user and a supervisor use it: the built command, killed and started again. */

const cli = useCli();
/** A part of MNIST: 63 steps an epoch, and not long an evaluation. */
const DATA = mkdtempSync(join(tmpdir(), "lockstep-resume-"));
afterAll(() => rmSync(DATA, { recursive: true }));
beforeAll(async () => {
  const mnist = await loadDataset();
  for (const [name, split, count] of [
    ["train", mnist.train, 4_000],
    ["t10k", mnist.test, 500],
  ] as const) {
    writeFileSync(join(DATA, `${name}-images-idx3-ubyte`), encodeImages(split.pixels.subarray(0, count * 784)));
    writeFileSync(join(DATA, `${name}-labels-idx1-ubyte`), encodeLabels(split.labels.subarray(0, count)));
  }
});

const EPOCHS = 8;
const STEPS = EPOCHS * 63;
const SMALL = ["--data", DATA, "--epochs", String(EPOCHS), "--log-every", "10", "--metrics-port", "0"];
const HERE = ["--run-dir", "here"];
const RESUME = [...HERE, "--resume", "--metrics-port", "0", "--json"];

/** What must be the same, wherever and however often a run was stopped. */
function essence(result: Record<string, unknown>) {
  const { weightsSha256, trainLoss, testAccuracy, testErrors, epochs, steps, samples } = result;
  const { samplesLost, samplesRepeated, engine } = result;
  return {
    weightsSha256,
    trainLoss,
    testAccuracy,
    testErrors,
    epochs,
    steps,
    samples,
    samplesLost,
    samplesRepeated,
    engine,
  };
}

const known = new Map<string, ReturnType<typeof essence>>();

/** Of a run that was never stopped. */
async function undisturbed(...options: string[]): Promise<ReturnType<typeof essence>> {
  const key = options.join(" ");
  const run = async () => resultOf(await cli.run(["train", ...SMALL, "--workers", "1", "--json", ...options]));
  const found = known.get(key) ?? essence(await run());
  known.set(key, found);
  return found;
}

/** Starts the run, kills it in the middle of an epoch but the first. @returns the steps of its checkpoints */
async function killed(...options: string[]): Promise<number[]> {
  const run = cli.start(["train", ...SMALL, ...HERE, "--checkpoint-every", "20", "--workers", "2", ...options]);
  await midEpoch();
  run.kill("SIGKILL");
  await run.ended();
  return checkpoints();
}

/** Waits until the newest of several checkpoints is from the middle of an epoch. They are written behind the training. */
async function midEpoch(): Promise<void> {
  const isMidEpoch = (step: number) => step > 63 && step % 63 !== 0;
  await vi.waitUntil(() => checkpoints().length > 1 && isMidEpoch(checkpoints().at(-1)!), { timeout: 60_000 });
}

async function killIn(run: RunningCommand, moment: RegExp, signal: NodeJS.Signals = "SIGKILL"): Promise<Ended> {
  await run.sees(moment);
  run.kill(signal);
  return run.ended();
}

function checkpoints(): number[] {
  const folder = join(cli.folder(), "here", "checkpoints");
  return (existsSync(folder) ? readdirSync(folder) : [])
    .flatMap((name) => /^step-(\d+)\.safetensors$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

const checkpointFile = (step: number): string =>
  join(cli.folder(), "here", "checkpoints", `step-${String(step).padStart(6, "0")}.safetensors`);

describe("a run that is killed in the middle of an epoch", () => {
  it.each(["thread", "process"])(
    "goes on to the same weights and losses: with workers of kind %s",
    async (isolation) => {
      const before = await killed("--isolation", isolation);
      const ended = await cli.run(["train", ...RESUME]);
      const epoch = Math.floor(before.at(-1)! / 63) + 1;
      expect(ended.stderr).toContain(
        `Resuming here from step ${before.at(-1)} of ${STEPS} (epoch ${epoch} of ${EPOCHS})\n`,
      );
      expect(ended.stderr).not.toMatch(/warning/);
      const result = resultOf(ended);
      expect(result).toMatchObject({
        resumedFrom: before.at(-1),
        checkpoint: "here/checkpoints/step-000504.safetensors",
      });
      expect(essence(result)).toEqual(await undisturbed());
      // Each line once, though the killed run had got further than its checkpoint.
      const lines = readFileSync(join(cli.folder(), "here", "metrics.ndjson"), "utf8")
        .trimEnd()
        .split("\n");
      const steps = lines
        .map((line) => (JSON.parse(line) as { step?: number }).step)
        .filter((step) => step !== undefined);
      expect(steps).toEqual([...new Set(steps)].toSorted((a, b) => a - b));
      const after = (step: number) => step > before.at(-1)!;
      expect(steps.filter(after)).toEqual(
        Array.from({ length: EPOCHS }, (_, e) => [10, 20, 30, 40, 50, 60].map((step) => e * 63 + step))
          .flat()
          .filter(after),
      );
    },
  );

  it("and again after it was resumed, and then interrupted", async () => {
    await killed();
    // Two lines of progress are more than the twenty steps between two checkpoints.
    const somewhatLater = /(Step \[\d+\/63\][^]*){3}/;
    await killIn(cli.start(["train", ...RESUME]), somewhatLater);
    const interrupted = await killIn(cli.start(["train", ...RESUME]), somewhatLater, "SIGTERM");
    expect(interrupted.code).toBe(143);
    const result = resultOf(await cli.run(["train", ...RESUME, "--isolation", "process"]));
    expect(result.resumedFrom).toBe(resultOf(interrupted).steps);
    expect(essence(result)).toEqual(await undisturbed());
  });

  it("with distorted images, a moving learning rate and clipping", async () => {
    const options = ["--recipe", "best", "--epochs", "6", "--batch-size", "64", "--clip-norm", "0.5"];
    await killed(...options);
    expect(essence(resultOf(await cli.run(["train", ...RESUME])))).toEqual(await undisturbed(...options));
  });

  it("whose newest checkpoint is damaged goes on from the one before, and says so", async () => {
    const before = await killed();
    truncateSync(checkpointFile(before.at(-1)!), 100_000);
    const ended = await cli.run(["train", ...RESUME]);
    expect(ended.stderr).toMatch(/^warning: .*step-\d{6}\.safetensors is truncated/m);
    expect(resultOf(ended).resumedFrom).toBe(before.at(-2));
    expect(essence(resultOf(ended))).toEqual(await undisturbed());
  });

  it("goes on in a program", async () => {
    const before = await killed();
    const runDir = join(cli.folder(), "here");
    const run = await train({ runDir, resume: true, metricsPort: 0 });
    const types: string[] = [];
    for await (const event of run) if (event.type === "resumed" || event.type === "started") types.push(event.type);
    expect(types).toEqual(["resumed", "started"]);
    const result = await run.result;
    expect(result.resumedFrom).toBe(before.at(-1));
    expect(essence({ ...result })).toEqual(await undisturbed());
  });
});

describe("a coordinator that is killed", () => {
  it("is started again with --resume, while its workers stay and come back", async () => {
    const every = ["--checkpoint-every", "20"];
    const first = cli.start(["coordinator", "--listen", "tcp://127.0.0.1:*", ...SMALL, ...HERE, ...every]);
    const [, address = ""] = await first.sees(/Listening on (tcp:\/\/127\.0\.0\.1:\d+)/);
    const workers = [1, 2].map(() => cli.start(["worker", "--connect", address, "--data", DATA]));
    await midEpoch();
    first.kill("SIGKILL");
    await first.ended();
    const [last] = checkpoints().slice(-1);
    const ended = await cli.run(["coordinator", "--listen", address, ...RESUME]);
    expect(resultOf(ended)).toMatchObject({ resumedFrom: last });
    expect(essence(resultOf(ended))).toEqual(await undisturbed());
    for (const worker of workers) {
      const { code, stderr } = await worker.ended();
      expect(code).toBe(0);
      expect(stderr.match(/welcomed as worker-\d/g)?.length).toBeGreaterThanOrEqual(2);
    }
  });
});

describe("a supervisor that always says --resume", () => {
  const ALWAYS = ["train", ...SMALL, ...HERE, "--resume", "--json"];

  it("starts the run, though it is killed before its first checkpoint, and is told of its end ever after", async () => {
    const first = cli.start(ALWAYS);
    await first.sees(/warning: here holds no checkpoint to resume from: starting at step 0/);
    await killIn(first, /Training on/);
    expect(checkpoints()).toEqual([]);
    const second = resultOf(await cli.run(ALWAYS));
    expect(second).toMatchObject({ resumedFrom: null });
    expect(essence(second)).toEqual(await undisturbed());
    const third = await cli.run(ALWAYS);
    expect(third.code).toBe(0);
    expect(resultOf(third)).toMatchObject({ resumedFrom: STEPS, checkpoint: second.checkpoint, workers: 0 });
    expect(essence(resultOf(third))).toEqual(essence(second));
    expect(checkpoints()).toEqual([378, 441, 504]);
  });

  it("without --run-dir needs a run to go on with", async () => {
    const { code, stderr } = await cli.run(["train", "--resume", "--metrics-port", "0"]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      "lockstep: --resume finds no run in runs/ here; name its folder with --run-dir, or start a run without --resume\n",
    );
  });
});

describe("a run that is resumed with other options", () => {
  it("is refused where they decide the weights, and continued for more epochs where the learning rate stays", async () => {
    await cli.run(["train", ...SMALL, ...HERE, "--epochs", "2", "--quiet"]);
    const refused = await cli.run(["train", ...RESUME, "--lr", "0.01", "--seed", "2"], { LOCKSTEP_EMA: "0" });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^lockstep: --lr is 0.01, but the run was trained with 0.001 so far: leave --lr out/,
    );
    expect(refused.stderr).toMatch(/^--ema is 0, but/m);
    expect(refused.stderr).toMatch(/^--seed is 2, but/m);
    const longer = await cli.run(["train", ...RESUME, "--epochs", String(EPOCHS)]);
    expect(resultOf(longer)).toMatchObject({ resumedFrom: 126 });
    expect(essence(resultOf(longer))).toEqual(await undisturbed());
    expect(resultOf(await cli.run(["train", ...RESUME]))).toMatchObject({ epochs: EPOCHS, resumedFrom: STEPS });
  });

  it("or other data, is refused with exit code 4", async () => {
    await cli.run(["train", "--limit-train", "64", "--epochs", "1", ...HERE, "--metrics-port", "0", "--quiet"]);
    const { code, stderr } = await cli.run(["train", ...RESUME, "--data", DATA]);
    expect(stderr).toMatch(
      /^lockstep: .* was trained on other data than lockstep-resume-.*: name the same with --data/,
    );
    expect(code).toBe(4);
  });

  it("with another engine is warned of", async () => {
    await cli.run(["train", ...SMALL, ...HERE, "--limit-train", "64", "--epochs", "1", "--quiet"]);
    const ended = await cli.run(["train", ...RESUME, "--epochs", "2", "--engine", "reference"]);
    expect(ended.stderr).toMatch(
      /warning: the run was trained with the wasm engine so far, and goes on with reference/,
    );
    expect(resultOf(ended)).toMatchObject({ engine: "reference+wasm", resumedFrom: 1 });
  });

  it("while it still runs, is refused", async () => {
    const run = cli.start(["train", ...SMALL, ...HERE, "--epochs", "50"]);
    await run.sees(/Step \[10\/63\]/);
    const { code, stderr } = await cli.run(["train", ...RESUME]);
    expect(stderr).toMatch(/is in use by another coordinator/);
    expect(code).toBe(2);
  });
});

describe("a folder that takes no checkpoints", () => {
  const folder = (): string => join(cli.folder(), "here", "checkpoints");

  /** Starts a run with a file where its checkpoints belong, as from step 10 on. */
  async function obstructed(...options: string[]): Promise<RunningCommand> {
    const run = cli.start(["train", ...SMALL, ...HERE, "--checkpoint-every", "5", "--json", ...options]);
    await run.sees(/Epoch \[1\/\d+\], Step \[10\/63\]/);
    renameSync(folder(), `${folder()}-elsewhere`);
    writeFileSync(folder(), "no folder");
    return run;
  }

  it("costs warnings, not the training; what cannot be written there goes to a refuge", async () => {
    const ended = await (await obstructed()).ended();
    expect(ended.code).toBe(0);
    const warnings = ended.stderr.match(/^warning: cannot write .*$/gm) ?? [];
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/cannot write the checkpoint here\/checkpoints\/step-\d{6}.*training goes on/);
    const result = resultOf(ended);
    expect(essence(result)).toEqual(await undisturbed());
    expect(result.checkpoint).toMatch(/lockstep-here-step-000504\.safetensors$/);
    expect(existsSync(String(result.checkpoint))).toBe(true);
  });

  it("is told to work again", async () => {
    const run = await obstructed("--epochs", "30");
    await run.sees(/warning: cannot write the checkpoint/);
    rmSync(folder());
    await run.sees(/warning: checkpoints are written again: here\/checkpoints\/step-/);
    run.kill("SIGTERM");
    expect((await run.ended()).code).toBe(143);
  });

  it("and no refuge, ends the run with its result and exit code 1", async () => {
    const run = cli.start(["train", ...SMALL, ...HERE, "--json"], { TMPDIR: "/proc/nowhere" });
    await run.sees(/Step \[10\/63\]/);
    rmSync(folder(), { recursive: true });
    writeFileSync(folder(), "no folder");
    const ended = await run.ended();
    expect(ended.code).toBe(1);
    expect(resultOf(ended)).toMatchObject({ checkpoint: "", steps: STEPS });
    expect(ended.stderr.trimEnd().split("\n").at(-1)).toMatch(/^lockstep: cannot write the last checkpoint/);
  });
});

it("--checkpoint-every and --keep-checkpoints say how many there are", async () => {
  mkdirSync(join(cli.folder(), "here"));
  const options = ["--epochs", "1", "--checkpoint-every", "20", "--keep-checkpoints", "2", "--quiet"];
  await cli.run(["train", ...SMALL, ...HERE, ...options]);
  expect(checkpoints()).toEqual([60, 63]);
});
