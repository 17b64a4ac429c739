import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeCheckpoint, encodeCheckpoint, stateSha256, type Checkpoint } from "../../src/shared/checkpoint.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { PARAMETERS, PARAMETER_COUNT, STATE_COUNT, STATISTICS, tensor } from "../../src/shared/model/lenet5.ts";
import { decodeTensorFile, encodeTensorFile, encodeValues, type TensorFile } from "../../src/shared/safetensors.ts";

const CHECKPOINT: Checkpoint = {
  formatVersion: 2,
  step: 938,
  epoch: 1,
  seed: Number.MAX_SAFE_INTEGER,
  adamStep: 937,
  config: { recipe: "seed", learningRate: 0.001, nested: { list: [1, null, "é"] } },
  dataDigest: "c6".repeat(32),
  engine: "wasm",
  // No decimal fraction of few digits: what is read must be the very number.
  progress: {
    ...{ evaluatedEpochs: 1, testErrors: 133, testSamples: 10_000 },
    ...{ epochLossSum: 9852.123 + 1 / 3, epochCorrect: 56_000, epochSamples: 60_000 },
  },
  state: initialState(1),
  latest: initialState(4),
  adamM: initialState(2).slice(0, PARAMETER_COUNT),
  adamV: initialState(3).slice(0, PARAMETER_COUNT).map(Math.abs),
};
const BYTES = encodeCheckpoint(CHECKPOINT);

test("survives a round trip", () => {
  expect(decodeCheckpoint(BYTES, "x")).toEqual(CHECKPOINT);
});

test("vectors that are views into larger memory are taken for themselves", () => {
  const { state, latest, adamM, adamV } = CHECKPOINT;
  const memory = new Float32Array(2 * (STATE_COUNT + PARAMETER_COUNT) + 2).fill(7);
  let end = 1;
  const view = (vector: Float32Array): Float32Array => {
    const begin = end;
    memory.set(vector, begin);
    return memory.subarray(begin, (end += vector.length));
  };
  const views = { state: view(state), latest: view(latest), adamM: view(adamM), adamV: view(adamV) };
  expect(Buffer.compare(encodeCheckpoint({ ...CHECKPOINT, ...views }), BYTES)).toBe(0);
});

test("the same checkpoint has the same bytes", () => {
  expect(Buffer.compare(encodeCheckpoint(CHECKPOINT), BYTES)).toBe(0);
});

test("any reader of safetensors finds PyTorch's names, shapes and values", () => {
  // By hand, as the format's description says.
  const view = new DataView(BYTES.buffer);
  const headerBytes = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(BYTES.subarray(8, 8 + headerBytes))) as Record<string, unknown>;
  const moments = PARAMETERS.flatMap(({ name }) => [`adam.m.${name}`, `adam.v.${name}`]);
  const names = [...PARAMETERS, ...STATISTICS].map(({ name }) => name);
  const latest = names.map((name) => `latest.${name}`);
  expect(Object.keys(header).sort()).toEqual(["__metadata__", ...names, ...latest, ...moments].sort());
  for (const spec of [...PARAMETERS, ...STATISTICS]) {
    const begin = spec.offset * 4;
    expect(header[spec.name]).toEqual({
      dtype: "F32",
      shape: spec.shape,
      data_offsets: [begin, begin + spec.size * 4],
    });
    const last = 8 + headerBytes + begin + spec.size * 4 - 4;
    expect(view.getFloat32(last, true)).toBe(CHECKPOINT.state[spec.offset + spec.size - 1]);
  }
  expect(header["__metadata__"]).toMatchObject({
    format: "lockstep-checkpoint",
    formatVersion: "2",
    step: "938",
    epoch: "1",
    seed: "9007199254740991",
    adamStep: "937",
    config: JSON.stringify(CHECKPOINT.config),
    progress: JSON.stringify(CHECKPOINT.progress),
    weightsSha256: stateSha256(CHECKPOINT.state),
  });
});

test("stateSha256 covers the little-endian bytes", () => {
  const littleEndian = Buffer.alloc(STATE_COUNT * 4);
  CHECKPOINT.state.forEach((value, index) => littleEndian.writeFloatLE(value, index * 4));
  expect(stateSha256(CHECKPOINT.state)).toBe(createHash("sha256").update(littleEndian).digest("hex"));
});

test("damage anywhere is refused, or harmless", () => {
  const headerBytes = Number(new DataView(BYTES.buffer).getBigUint64(0, true));
  const place = fc.oneof(fc.nat(8 + headerBytes), fc.nat(BYTES.length - 1));
  fc.assert(
    fc.property(place, fc.integer({ min: 1, max: 255 }), (index, flipped) => {
      const damaged = BYTES.with(index, BYTES[index]! ^ flipped);
      expectRefusedOrSame(damaged);
    }),
    { numRuns: 150 },
  );
});

test("a file cut off anywhere is refused", () => {
  fc.assert(
    fc.property(fc.nat(BYTES.length - 1), (length) => {
      expect(() => decodeCheckpoint(BYTES.subarray(0, length), "x")).toThrow(LockstepError);
    }),
  );
});

test.each([
  { what: "an empty file", bytes: new Uint8Array(), says: "x is empty" },
  {
    what: "another model's safetensors file",
    bytes: encodeTensorFile({ metadata: new Map([["format", "pt"]]), tensors: new Map(), data: new Uint8Array() }),
    says: 'x is a safetensors file of something else: its metadata has format "pt", expected "lockstep-checkpoint"',
  },
  {
    what: "a file without metadata",
    bytes: encodeTensorFile({ metadata: new Map(), tensors: new Map(), data: new Uint8Array() }),
    says: "its metadata has no format",
  },
  {
    what: "a newer format",
    bytes: altered((file) => ({ ...file, metadata: new Map([...file.metadata, ["formatVersion", "3"]]) })),
    says: "x has checkpoint format 3, but this lockstep knows formats up to 2; update it",
  },
  {
    what: "an older format",
    bytes: altered((file) => ({ ...file, metadata: new Map([...file.metadata, ["formatVersion", "1"]]) })),
    says: "x was written by an earlier lockstep: it has checkpoint format 1, this one reads format 2; use it with the",
  },
  {
    what: "format 0",
    bytes: altered((file) => ({ ...file, metadata: new Map([...file.metadata, ["formatVersion", "0"]]) })),
    says: "x is damaged: checkpoint format 0 never existed",
  },
  {
    what: "a missing tensor",
    bytes: altered((file) => without(file, (name) => name === "fc3.bias")),
    says: "x is of another model: it lacks fc3.bias; use a checkpoint that lockstep wrote",
  },
  {
    what: "missing moments",
    bytes: altered((file) => without(file, (name) => name.startsWith("adam."))),
    says: "it lacks adam.m.conv1.weight, adam.m.conv1.bias, adam.m.bn1.weight and 25 more tensors",
  },
  {
    what: "an unknown tensor",
    bytes: altered((file) => ({
      ...file,
      tensors: new Map([...file.tensors, ["fc4.bias", { shape: [1], values: Float32Array.of(1) }]]),
    })),
    says: "x is of another model: it has the unknown fc4.bias",
  },
  {
    what: "a tensor of another shape",
    bytes: altered((file) => ({
      ...file,
      tensors: new Map([...file.tensors, ["fc1.weight", { shape: [2, 3], values: new Float32Array(6) }]]),
    })),
    says: "x is of another model: fc1.weight has shape [2, 3], expected [120, 400]",
  },
  {
    what: "values that are not finite",
    bytes: altered((file) => ({
      ...file,
      tensors: new Map([...file.tensors, ["bn1.bias", { shape: [6], values: new Float32Array(6).fill(Number.NaN) }]]),
    })),
    says: "x: bn1.bias holds values that are not finite; use the checkpoint before it",
  },
  {
    what: "changed weights",
    bytes: altered((file) => ({
      ...file,
      tensors: new Map([...file.tensors, ["bn1.bias", { shape: [6], values: new Float32Array(6).fill(1) }]]),
    })),
    says: "x is damaged: its weightsSha256 should be",
  },
  ...[
    { key: "step", text: "939", says: "x is damaged: its sha256 should be" },
    { key: "step", text: "-1", says: 'x is damaged: its step is "-1", expected a whole number' },
    { key: "seed", text: "9007199254740993", says: 'its seed is "9007199254740993", expected a whole number' },
    { key: "config", text: "{", says: "x is damaged: its config is not JSON" },
    { key: "config", text: "[]", says: "x is damaged: its config is not a JSON object" },
    { key: "progress", text: "[]", says: "x is damaged: its progress is not valid (" },
    { key: "progress", text: "nul", says: "x is damaged: its progress is not JSON" },
    { key: "progress", text: progressWith({ testErrors: -1 }), says: "its progress is not valid (testErrors: " },
    { key: "progress", text: progressWith({ epochLossSum: null }), says: "its progress is not valid (epochLossSum: " },
    { key: "progress", text: progressWith({ more: 1 }), says: "its progress is not valid (" },
    {
      key: "progress",
      text: progressWith({ testErrors: null }),
      says: "its progress is not valid (evaluatedEpochs and testErrors contradict each other)",
    },
    {
      key: "progress",
      text: progressWith({ testErrors: 10_001 }),
      says: "its progress is not valid (there are more testErrors than testSamples)",
    },
    {
      key: "progress",
      text: progressWith({ epochCorrect: 60_001 }),
      says: "its progress is not valid (there are more epochCorrect than epochSamples)",
    },
    {
      key: "progress",
      text: progressWith({ evaluatedEpochs: 2 }),
      says: "its progress is not valid (evaluatedEpochs is 2 after 1 epochs)",
    },
    { key: "progress", text: progressWith({ epochCorrect: 1 }), says: "x is damaged: its sha256 should be" },
    { key: "config", text: "{}", says: "x is damaged: its sha256 should be" },
    { key: "sha256", text: "0", says: "x is damaged: its sha256 should be 0 but is" },
  ].map(({ key, text, says }) => ({
    what: `${key} ${text}`,
    bytes: altered((file) => ({ ...file, metadata: new Map([...file.metadata, [key, text]]) })),
    says,
  })),
  ...["step", "config", "engine", "progress", "dataDigest", "sha256", "weightsSha256"].map((key) => ({
    what: `no ${key}`,
    bytes: altered((file) => ({ ...file, metadata: new Map([...file.metadata].filter(([other]) => other !== key)) })),
    says: `x is damaged: its metadata has no ${key}; use the checkpoint before it`,
  })),
])("refuses $what", ({ bytes, says }) => {
  const refusal = { code: "refused", message: expect.stringContaining(says) };
  expect(() => decodeCheckpoint(bytes, "x")).toThrow(expect.objectContaining(refusal));
});

test.each([
  { name: "fc3.bias", spoiled: { state: spoiled(CHECKPOINT.state, "fc3.bias", Number.NaN) } },
  { name: "adam.m.conv1.bias", spoiled: { adamM: spoiled(CHECKPOINT.adamM, "conv1.bias", Infinity) } },
  { name: "adam.v.bn2.bias", spoiled: { adamV: spoiled(CHECKPOINT.adamV, "bn2.bias", -Infinity) } },
  { name: "latest.bn2.running_var", spoiled: { latest: spoiled(CHECKPOINT.latest, "bn2.running_var", Infinity) } },
  { name: "the epoch's loss", spoiled: { progress: { ...CHECKPOINT.progress, epochLossSum: Number.NaN } } },
])("makes no checkpoint when $name is not finite", ({ name, spoiled: vectors }) => {
  const diverged = { code: "diverged", message: `no checkpoint of step 938: ${name} is not finite` };
  expect(() => encodeCheckpoint({ ...CHECKPOINT, ...vectors })).toThrow(expect.objectContaining(diverged));
});

test("vectors of another length and counts that are none are broken invariants", () => {
  expect(() => encodeCheckpoint({ ...CHECKPOINT, step: -1 })).toThrow("-1 in a checkpoint is not a whole number");
  expect(() => encodeCheckpoint({ ...CHECKPOINT, state: new Float32Array(3) })).toThrow("a state of 3 values");
  const progress = { ...CHECKPOINT.progress, testErrors: null };
  expect(() => encodeCheckpoint({ ...CHECKPOINT, progress })).toThrow("evaluatedEpochs and testErrors contradict");
});

function altered(change: (file: TensorFile) => TensorFile): Uint8Array {
  const file = change(decodeTensorFile(BYTES, "x"));
  return encodeTensorFile({ ...file, data: encodeValues(file.tensors.values()) });
}

function progressWith(changes: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...CHECKPOINT.progress, ...changes });
}

function without(file: TensorFile, dropped: (name: string) => boolean): TensorFile {
  return { ...file, tensors: new Map([...file.tensors].filter(([name]) => !dropped(name))) };
}

function spoiled(vector: Float32Array, name: string, value: number): Float32Array {
  return vector.with(tensor(name).offset, value);
}

function expectRefusedOrSame(bytes: Uint8Array): void {
  let decoded: Checkpoint;
  try {
    decoded = decodeCheckpoint(bytes, "x");
  } catch (error) {
    expect(error).toBeInstanceOf(LockstepError);
    return;
  }
  expect(Buffer.compare(encodeCheckpoint(decoded), BYTES)).toBe(0);
}
