import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkpointName, readCheckpoint, stepOfName, writeCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { encodeCheckpoint, type Checkpoint } from "../../src/shared/checkpoint.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { PARAMETER_COUNT } from "../../src/shared/model/lenet5.ts";

const CHECKPOINT: Checkpoint = {
  formatVersion: 2,
  step: 3,
  epoch: 0,
  seed: 1,
  adamStep: 3,
  config: {},
  dataDigest: "d",
  engine: "reference",
  progress: {
    ...{ evaluatedEpochs: 0, testErrors: null, testSamples: 0 },
    ...{ epochLossSum: 1.5, epochCorrect: 7, epochSamples: 192 },
  },
  state: initialState(1),
  latest: initialState(4),
  adamM: new Float32Array(PARAMETER_COUNT),
  adamV: new Float32Array(PARAMETER_COUNT),
};

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-checkpoint-"));
  path = join(folder, "step-000003.safetensors");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("what is written can be read, and nothing else is left behind", async () => {
  await writeCheckpoint(path, CHECKPOINT);
  await expectCheckpoint();
  expect(readdirSync(folder)).toEqual(["step-000003.safetensors"]);
});

test("replaces what was there", async () => {
  writeFileSync(path, "old");
  await writeCheckpoint(path, CHECKPOINT);
  expect((await readCheckpoint(path)).step).toBe(3);
});

test("takes the values when it is called", async () => {
  const state = CHECKPOINT.state.slice();
  const written = writeCheckpoint(path, { ...CHECKPOINT, state });
  state.fill(0);
  await written;
  await expectCheckpoint();
});

test("of two writers one wins whole", async () => {
  await Promise.all([3, 4, 5, 6].map((step) => writeCheckpoint(path, { ...CHECKPOINT, step })));
  expect([3, 4, 5, 6]).toContain((await readCheckpoint(path)).step);
  expect(readdirSync(folder)).toHaveLength(1);
});

test("a checkpoint that is not finite leaves the one before it alone", async () => {
  await writeCheckpoint(path, CHECKPOINT);
  const state = CHECKPOINT.state.with(0, Number.NaN);
  await expect(writeCheckpoint(path, { ...CHECKPOINT, state })).rejects.toMatchObject({ code: "diverged" });
  await expectCheckpoint();
});

test("says what kept it from writing, and cleans up", async () => {
  const nowhere = join(folder, "nowhere", "x.safetensors");
  await expect(writeCheckpoint(nowhere, CHECKPOINT)).rejects.toMatchObject({
    code: "failed",
    message: expect.stringMatching(/^cannot write the checkpoint .*x\.safetensors: ENOENT/),
  });
  mkdirSync(path);
  await expect(writeCheckpoint(path, CHECKPOINT)).rejects.toMatchObject({ code: "failed" });
  expect(readdirSync(folder)).toEqual(["step-000003.safetensors"]);
  const inFile = join(folder, "file");
  writeFileSync(inFile, "");
  await expect(writeCheckpoint(join(inFile, "x"), CHECKPOINT)).rejects.toMatchObject({ code: "failed" });
});

test.each([
  { what: "no file", make: () => undefined, says: "safetensors does not exist; check the name" },
  { what: "a folder", make: () => mkdirSync(path), says: "is a folder; name a checkpoint file in it" },
  { what: "an empty file", make: () => writeFileSync(path, ""), says: "is empty" },
  { what: "text", make: () => writeFileSync(path, "step 3, loss 0.1"), says: "is not a safetensors file" },
  {
    what: "half a file",
    make: () => writeFileSync(path, encodeCheckpoint(CHECKPOINT).subarray(0, 300_000)),
    says: "is truncated",
  },
  {
    what: "a flipped bit",
    make: () => {
      const bytes = encodeCheckpoint(CHECKPOINT);
      writeFileSync(path, bytes.with(-1, bytes.at(-1)! ^ 1));
    },
    says: "is damaged: its sha256 should be",
  },
  {
    what: "a huge file",
    make: () => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 33);
    },
    says: "has 8589934592 bytes, too many for a checkpoint",
  },
])("refuses to read $what", async ({ make, says }) => {
  make();
  await expect(readCheckpoint(path)).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining(path),
  });
  await expect(readCheckpoint(path)).rejects.toThrow(says);
});

test("the file holds exactly what encodeCheckpoint makes", async () => {
  await writeCheckpoint(path, CHECKPOINT);
  expect(readFileSync(path).equals(encodeCheckpoint(CHECKPOINT))).toBe(true);
});

test("files are named after their step, however many digits it has", () => {
  for (const step of [0, 938, 999_999, 1_000_000, 123_456_789]) expect(stepOfName(checkpointName(step))).toBe(step);
  expect(checkpointName(938)).toBe("step-000938.safetensors");
  expect(checkpointName(1_234_567)).toBe("step-1234567.safetensors");
});

test.each([
  ...["step-938.safetensors", "step-0000938.safetensors", "step-000938.safetensors.copy", "my-step-000938.safetensors"],
  ...[".step-000938.safetensors.0123abcd.tmp", "step-.safetensors", "step-99999999999999999999.safetensors", "latest"],
])("%s is no name of a checkpoint", (name) => {
  expect(stepOfName(name)).toBeUndefined();
});

/** Compares bytes, which is much faster than comparing long vectors value by value. */
async function expectCheckpoint(): Promise<void> {
  const found = encodeCheckpoint(await readCheckpoint(path));
  expect(Buffer.compare(found, encodeCheckpoint(CHECKPOINT))).toBe(0);
}
