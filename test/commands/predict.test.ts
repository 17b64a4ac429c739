import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { predictCommand } from "../../src/commands/predict.ts";
import { writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import type { PredictConfig } from "../../src/shared/config.ts";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { encodeImages } from "../../src/shared/data/idx.ts";
import { PARAMETER_COUNT, STATE_COUNT, tensor } from "../../src/shared/model/lenet5.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { storedImage } from "../support/drawn-digits.ts";
import { greyJpeg, greyPng } from "../support/image-files.ts";

let folder: string;
const path = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "predict-test-"));
  const { test: mnist } = await loadDataset();
  const [seven, two] = [storedImage(mnist.pixels, 0), storedImage(mnist.pixels, 1)];
  writeFileSync(path("seven.png"), greyPng(seven, 28));
  writeFileSync(path("two.jpg"), greyJpeg(two, 28, 90));
  writeFileSync(path("both.idx"), encodeImages(Buffer.concat([seven, two])));
  writeFileSync(path("empty.png"), greyPng(new Uint8Array(900).fill(255), 30));
  writeFileSync(path("broken.png"), greyPng(seven, 28).subarray(0, 100));
  writeFileSync(path("classes.txt"), "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
  await writeCheckpoint(path("sure"), checkpointOf(938, { epoch: 1, state: biased({ 3: 5, 8: 2, 1: 1 }) }));
  await writeCheckpoint(path("unsure"), checkpointOf(938, { state: biased({}) }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A model that says the same of every image: what these classes' biases say. */
function biased(biases: Readonly<Record<number, number>>): Float32Array {
  const state = new Float32Array(STATE_COUNT);
  state.fill(1, PARAMETER_COUNT);
  for (const [digit, bias] of Object.entries(biases)) state[tensor("fc3.bias").offset + Number(digit)] = bias;
  return state;
}

interface Circumstances {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: readonly Uint8Array[];
}

/** Runs the command on files in the folder; what it printed where, and its exit code. */
async function predict(
  images: readonly string[],
  options: Partial<PredictConfig> = {},
  { isTTY, columns, env = {}, stdin = [] }: Circumstances = {},
) {
  const printed = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof printed) => ({ isTTY, columns, write: (text: string) => (printed[name] += text) });
  async function* pipe(): AsyncGenerator<Uint8Array> {
    yield* stdin;
  }
  const files = images.map((image) => (image === "-" ? image : path(image)));
  const config = configFrom("predict", { images: files, checkpoint: path("sure"), ...options });
  const code = await predictCommand(config, { stdin: pipe(), stdout: stream("stdout"), stderr: stream("stderr"), env });
  return { ...printed, code };
}

// Powers of the biases: 148.41, 7.39 and 2.72, beside seven times 1.
const VERDICT = "3 with 89.66 %, then 8 with 4.46 %, 1 with 1.64 %";

describe("one image", () => {
  test("is answered in a sentence, and it is said with which weights", async () => {
    const { stdout, stderr, code } = await predict(["seven.png"]);
    expect(stdout).toBe(`${VERDICT}\n`);
    expect(stderr).toBe(`Checkpoint ${path("sure")}, after step 938, epoch 1\n`);
    expect(code).toBe(0);
  });

  test("is shown in shades on a terminal", async () => {
    const { stdout } = await predict(["seven.png"], {}, { isTTY: true, columns: 80 });
    const blank = `${"\u001B[38;2;0;0;0;48;2;0;0;0m▀".repeat(28)}\u001B[0m`;
    expect(stdout.split("\n").slice(0, 3)).toEqual([blank, blank, blank]);
    expect(stdout.endsWith(`\u001B[0m\n${VERDICT}\n`)).toBe(true);
  });

  test.each<[string, Circumstances, RegExp]>([
    ["in blocks without colours", { columns: 80, env: { NO_COLOR: "1" } }, /^\n\n\n {7}▄▄▄\n/],
    ["in blocks where the width is not known", { columns: 0, env: { NO_COLOR: "1" } }, /^\n\n\n {7}▄▄▄\n/],
    ["in blocks on a plain terminal", { columns: 80, env: { TERM: "dumb" } }, /^\n\n\n {7}▄▄▄\n/],
    ["not at all on a narrow one", { columns: 20 }, /^3 with/],
  ])("is shown on a terminal %s", async (_, circumstances, expected) => {
    const { stdout } = await predict(["seven.png"], {}, { isTTY: true, ...circumstances });
    expect(stdout).toMatch(expected);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(VERDICT);
  });

  test("may be piped in, in pieces, once", async () => {
    const png = greyPng(new Uint8Array(900).fill(255), 30);
    const stdin = [png.subarray(0, 30), png.subarray(30)];
    const { stdout } = await predict(["-"], { json: true }, { stdin });
    expect(JSON.parse(stdout)).toMatchObject({ file: "-", class: 3, name: "3" });
    await expect(predict(["-", "seven.png", "-"])).rejects.toMatchObject({ code: "usage" });
  });
});

describe("several images", () => {
  test("have a line each, in their order; what is refused does not hold up the others", async () => {
    const files = ["two.jpg", "broken.png", "both.idx", "none.png", "seven.png"];
    const { stdout, stderr, code } = await predict(files, { data: folder }, { isTTY: true, columns: 80 });
    const named = "three with 89.66 %, then eight with 4.46 %, one with 1.64 %";
    expect(stdout.split("\n")).toEqual([
      ...["two.jpg", "both.idx[0]", "both.idx[1]", "seven.png"].map((name) => `${path(name)}: ${named}`),
      "",
    ]);
    expect(stderr.split("\n").slice(1)).toEqual([
      `lockstep predict: ${path("broken.png")} is a truncated PNG file of 100 bytes; copy it again`,
      `lockstep predict: ${path("none.png")} does not exist; check the name`,
      "",
    ]);
    expect(code).toBe(4);
  });

  test("are objects, a line each, with --json", async () => {
    const { stdout, code } = await predict(["broken.png", "both.idx"], { json: true, data: folder });
    const objects = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects).toMatchObject([
      { file: path("broken.png"), error: expect.stringContaining("truncated") as string },
      { file: path("both.idx"), index: 0, class: 3, name: "three", inverted: false, warnings: [] },
      { file: path("both.idx"), index: 1, class: 3 },
    ]);
    const probabilities = objects[1]?.["probabilities"] as number[];
    expect(probabilities).toHaveLength(10);
    expect(probabilities.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 10);
    expect(code).toBe(4);
  });
});

describe("a warning", () => {
  test("says that nothing is on an image", async () => {
    const { stderr, code } = await predict(["empty.png"]);
    expect(stderr).toContain(`warning: ${path("empty.png")} is empty: nothing on it differs from the rest`);
    expect(code).toBe(0);
  });

  test("says that an image is like no class", async () => {
    const { stderr } = await predict(["seven.png"], { checkpoint: path("unsure") });
    expect(stderr).toContain(`warning: ${path("seven.png")} is like no class: the likeliest has 10.00 %`);
  });
});

test("what would steer the terminal is left out of names", async () => {
  const { stderr } = await predict(["\u001B[2Jx.png"]);
  expect(stderr).toContain(` [2Jx.png does not exist`);
  expect(stderr).not.toContain("\u001B");
});

test("a checkpoint that cannot be used ends the command", async () => {
  await expect(predict(["seven.png"], { checkpoint: path("none") })).rejects.toMatchObject({ code: "refused" });
});
