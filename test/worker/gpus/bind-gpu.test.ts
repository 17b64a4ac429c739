import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FoundGpus, Gpu } from "../../../src/worker/gpus/gpu.ts";
import { bindGpu, expectFreeGpus, type GpuBinding, type GpuRequest } from "../../../src/worker/gpus/bind-gpu.ts";

let found: FoundGpus;
let bindings: GpuBinding[];
let environment: NodeJS.ProcessEnv;
beforeEach(() => {
  found = { gpus: [0, 1, 2].map((index) => ({ index, uuid: `GPU-${randomUUID()}`, name: "H100" })) };
  [bindings, environment] = [[], { CUDA_VISIBLE_DEVICES: "2,1,0" }];
});
afterEach(() => {
  for (const binding of bindings) binding.release();
});

const gpu = (index: number): Gpu => found.gpus[index]!;

async function bind(changes: Partial<GpuRequest> = {}): Promise<GpuBinding> {
  const request: GpuRequest = { engine: "tensorflow", gpu: "auto", shareGpu: false, what: "a test", found, ...changes };
  const binding = await bindGpu(request, environment);
  bindings.push(binding);
  return binding;
}

describe("a worker", () => {
  test("that asks for a GPU is shown that one alone, and computes with tensorflow", async () => {
    expect(await bind({ engine: "auto", gpu: 1 })).toMatchObject({ engine: "tensorflow", gpu: gpu(1) });
    expect(environment.CUDA_VISIBLE_DEVICES).toBe(gpu(1).uuid);
  });

  test("that asks for none is shown none", async () => {
    expect(await bind({ gpu: "none" })).toMatchObject({ engine: "tensorflow", gpu: "none" });
    expect(environment.CUDA_VISIBLE_DEVICES).toBe("-1");
  });

  test("that finds none computes on the CPU, and says so", async () => {
    const binding = await bind({ found: { gpus: [], reason: "nvidia-smi is not installed" } });
    expect(binding).toMatchObject({
      gpu: "none",
      note: "no GPU to use (nvidia-smi is not installed): computing on the CPU",
    });
    expect(environment.CUDA_VISIBLE_DEVICES).toBe("-1");
  });

  test("with another engine looks for none and changes nothing", async () => {
    for (const engine of ["auto", "wasm", "reference", "webgpu"] as const) {
      expect(await bind({ engine })).not.toHaveProperty("gpu");
    }
    expect(await bind({ engine: "webgpu", gpu: "none" })).toMatchObject({ engine: "webgpu", gpu: "none" });
    expect(environment.CUDA_VISIBLE_DEVICES).toBe("2,1,0");
  });

  test("that asks for one that is not there is told which are", async () => {
    await expect(bind({ gpu: 3 })).rejects.toMatchObject({
      code: "usage",
      message: `--gpu 3 is not there; GPUs to use: ${[0, 1, 2].map((i) => `GPU ${i} (H100, ${gpu(i).uuid})`).join(", ")}`,
    });
    await expect(bind({ gpu: 0, found: { gpus: [], reason: "why" } })).rejects.toMatchObject({
      ...{ code: "usage", message: "--gpu 0 is not there; no GPU to use (why)" },
    });
  });
});

describe.runIf(process.platform === "linux")("several workers", () => {
  test("that start together get a GPU each, and the next one a free one again", async () => {
    const three = await Promise.all([bind(), bind(), bind()]);
    expect(new Set(three.map((binding) => (binding.gpu as Gpu).index))).toEqual(new Set([0, 1, 2]));
    const freed = three[1]!;
    freed.release();
    expect((await bind()).gpu).toEqual(freed.gpu);
  });

  test("may share one where they are allowed to", async () => {
    await bind({ gpu: 0 });
    expect((await bind({ gpu: 0, shareGpu: true })).gpu).toEqual(gpu(0));
    // Whoever may share takes a free one all the same, where it has the choice.
    expect((await bind({ shareGpu: true })).gpu).toEqual(gpu(1));
  });

  test("are refused what another has, and told who that is", async () => {
    await bind({ gpu: 1, what: "lockstep worker for tcp://h:1" });
    await expectFreeGpus([gpu(0), gpu(2)], "advice");
    const inUse = `GPU 1 (H100, ${gpu(1).uuid}) is in use by lockstep worker for tcp://h:1, process ${process.pid}, since `;
    const outcomes = await Promise.allSettled([
      bind({ gpu: 1 }),
      bind({ found: { gpus: [gpu(1)] } }),
      expectFreeGpus(found.gpus, "do this"),
    ]);
    const errors = outcomes.map((outcome) => (outcome.status === "rejected" ? (outcome.reason as Error) : undefined));
    for (const error of errors) {
      expect(error).toMatchObject({ code: "failed" });
      expect(error?.message).toContain(inUse);
    }
    expect(errors[0]?.message).toMatch(/; choose another with --gpu, or allow it with --share-gpu$/);
    expect(errors[2]?.message).toMatch(/; do this$/);
  });

  test("wait a moment for one that is about to be gone", async () => {
    const dying = await bind({ gpu: 0 });
    const next = bind({ gpu: 0 });
    setTimeout(() => dying.release(), 300);
    expect((await next).gpu).toEqual(gpu(0));
  });
});
