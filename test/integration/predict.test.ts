import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { encodeImages } from "../../src/shared/data/idx.ts";
import { type Ended, resultOf, RunningCommand } from "../support/cli.ts";
import { drawn, negative, storedImage } from "../support/drawn-digits.ts";
import { greyJpeg, greyPng } from "../support/image-files.ts";

/** Predictions of a network that was trained for an epoch: 98.7 % of MNIST's test images are right. */

const { test: mnist } = await loadDataset();

let cwd: string;
const run = (...args: string[]): Promise<Ended> =>
  new RunningCommand(args, cwd, { LOCKSTEP_REPORT: "false", LOCKSTEP_METRICS_PORT: "0" }).ended();

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), "lockstep-predict-test-"));
  const trained = await run("train", "--epochs", "1", "--quiet");
  expect(trained.code, trained.stderr).toBe(0);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** The only run that there is. */
function bestOfRun(): string {
  const [name = ""] = readdirSync(join(cwd, "runs"));
  return join("runs", name, "checkpoints", "best");
}

interface Line {
  readonly file: string;
  readonly index?: number;
  readonly class: number;
  readonly probabilities: readonly number[];
  readonly inverted: boolean;
}

/** What `predict` says of files in the folder, with the newest run's weights; all of it has to go well. */
async function predict(...files: string[]): Promise<Line[]> {
  const { stdout, stderr, code } = await run("predict", "--json", ...files);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/^Checkpoint runs\/[^/]+\/checkpoints\/best, after step 938, epoch 1$/m);
  const lines = stdout.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}

test("MNIST's own images are judged as eval judges them, from a data set's file or as a PNG file each", async () => {
  writeFileSync(join(cwd, "test.idx"), encodeImages(mnist.pixels));
  const all = await predict("test.idx");
  expect(all.map(({ index }) => index)).toEqual(Array.from({ length: mnist.count }, (_, i) => i));
  const wrong = all.filter((line, i) => line.class !== mnist.labels[i]).length;
  expect(resultOf(await run("eval", "--checkpoint", bestOfRun(), "--json"))).toMatchObject({ testErrors: wrong });

  const names = Array.from({ length: 300 }, (_, i) => `stored-${i}.png`);
  for (const [i, name] of names.entries()) writeFileSync(join(cwd, name), greyPng(storedImage(mnist.pixels, i), 28));
  const single = await predict(...names);
  expect(single.map(({ probabilities }) => probabilities)).toEqual(
    all.slice(0, 300).map(({ probabilities }) => probabilities),
  );
  expect(single.every(({ inverted }) => !inverted)).toBe(true);
});

test("of 200 digits, enlarged, dark on light, anywhere on the sheet, in JPEG's noise, 97 % are right", async () => {
  const names = Array.from({ length: 200 }, (_, i) => {
    const scale = 3 + (i % 7) * 0.55;
    const room = 220 - 28 * scale;
    const place = { left: room * ((i * 0.618) % 1), top: room * ((i * 0.414) % 1) };
    const sheet = negative(drawn(storedImage(mnist.pixels, i), { width: 220, height: 220, scale, ...place }));
    const name = `drawn-${i}.jpg`;
    writeFileSync(join(cwd, name), greyJpeg(sheet.pixels, sheet.width, 30 + (i % 5) * 15));
    return name;
  });
  const lines = await predict(...names);
  expect(lines.map(({ file }) => file)).toEqual(names);
  expect(lines.every(({ inverted }) => inverted)).toBe(true);
  const right = lines.filter((line, i) => line.class === mnist.labels[i]).length;
  expect(right).toBeGreaterThanOrEqual(194);
});

test("a damaged file costs its own answer alone, and the exit code", async () => {
  writeFileSync(join(cwd, "good.png"), greyPng(storedImage(mnist.pixels, 0), 28));
  writeFileSync(join(cwd, "bad.png"), greyPng(storedImage(mnist.pixels, 0), 28).subarray(0, 90));
  const { code, stdout, stderr } = await run("predict", "bad.png", "good.png");
  expect(code).toBe(4);
  expect(stdout).toMatch(/^good\.png: 7 with \d\d\.\d\d %, then \d with .* %, \d with .* %\n$/);
  expect(stderr).toContain("lockstep predict: bad.png is a truncated PNG file of 90 bytes; copy it again\n");
});

test("without files, or with what is no option, the command says what it takes", async () => {
  expect(await run("predict")).toMatchObject({ code: 2, stderr: expect.stringContaining("IMAGE") as string });
  expect(await run("predict", "--invert", "maybe", "a.png")).toMatchObject({
    ...{ code: 2, stderr: 'lockstep: --invert is "maybe"; allowed: auto, yes or no\n' },
  });
});
