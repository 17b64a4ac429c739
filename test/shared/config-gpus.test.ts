import { describe, expect, test } from "vitest";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { engineOf, isolationOf, moreWorkersThanGpus } from "../../src/shared/config-gpus.ts";
import { LockstepError } from "../../src/shared/errors.ts";

const messageOf = (read: () => unknown): string | undefined => {
  try {
    read();
    return undefined;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(LockstepError);
    return (thrown as LockstepError).message;
  }
};

test("whoever names GPUs wants TensorFlow", () => {
  expect(engineOf({})).toBe("auto");
  expect(engineOf({ engine: "auto", gpus: "all" })).toBe("tensorflow");
  expect(engineOf({ engine: "auto", gpus: [1] })).toBe("tensorflow");
  expect(engineOf({ engine: "auto", gpu: 0 })).toBe("tensorflow");
  for (const gpu of ["auto", "none"] as const) expect(engineOf({ engine: "auto", gpu })).toBe("auto");
  expect(engineOf({ engine: "wasm", gpus: "none" })).toBe("wasm");
});

test("native engines have a process for each worker, others share memory", () => {
  expect(isolationOf({ engine: "auto", isolation: "auto" })).toBe("thread");
  expect(isolationOf({ engine: "reference" })).toBe("thread");
  expect(isolationOf({ engine: "wasm", isolation: "process" })).toBe("process");
  expect(isolationOf({ engine: "tensorflow" })).toBe("process");
  expect(isolationOf({ engine: "webgpu", isolation: "auto" })).toBe("process");
  expect(isolationOf({ gpus: "all" })).toBe("process");
});

describe("options that contradict each other are refused:", () => {
  const only =
    "contradict each other: only the tensorflow engine computes on GPUs of one's choice; leave one of them out";

  test.each(["wasm", "reference", "webgpu"] as const)("GPUs and engine %s", (engine) => {
    expect(messageOf(() => configFrom("train", { engine, gpus: [0, 2] }))).toBe(
      `gpus 0,2 and engine ${engine} ${only}, or make gpus none`,
    );
    expect(messageOf(() => configFrom("verify-resume", { engine, gpus: "all" }))).toBe(
      `gpus all and engine ${engine} ${only}, or make gpus none`,
    );
    expect(messageOf(() => configFrom("worker", { engine, gpu: 1 }))).toBe(
      `gpu 1 and engine ${engine} ${only}, or make gpu none`,
    );
    expect(messageOf(() => configFrom("train", { engine, gpus: "none" }))).toBeUndefined();
    expect(messageOf(() => configFrom("eval", { checkpoint: "c", engine, gpu: "none" }))).toBeUndefined();
  });

  test("threads and native engines", () => {
    const sentence = (engine: string): string =>
      `isolation thread is not possible with the ${engine} engine, which takes a process for each worker; allowed: auto or process`;
    for (const engine of ["tensorflow", "webgpu"] as const) {
      expect(messageOf(() => configFrom("train", { engine, isolation: "thread" }))).toBe(sentence(engine));
    }
    expect(messageOf(() => configFrom("train", { gpus: "all", isolation: "thread" }))).toBe(sentence("tensorflow"));
    expect(messageOf(() => configFrom("train", { gpus: "all", isolation: "process" }))).toBeUndefined();
  });

  test("more workers than GPUs that are not shared", () => {
    expect(messageOf(() => configFrom("train", { gpus: [0, 2], workers: 3 }))).toBe(
      "workers 3 is more than one for each of 2 GPUs; allowed: at most 2, or more with --share-gpu",
    );
    expect(messageOf(() => configFrom("train", { gpus: [1], minWorkers: 2 }))).toBe(
      "minWorkers 2 can never be reached with one worker for each of 1 GPU; allowed: at most 1, or more with --share-gpu",
    );
    expect(messageOf(() => configFrom("train", { gpus: [0, 2], workers: 3, shareGpu: true }))).toBeUndefined();
    expect(messageOf(() => configFrom("train", { gpus: [0, 2], workers: 2, minWorkers: 2 }))).toBeUndefined();
    expect(moreWorkersThanGpus({ workers: "auto" }, 1, (key) => key)).toBeUndefined();
  });
});
