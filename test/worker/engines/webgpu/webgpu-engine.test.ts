import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Engine } from "../../../../src/worker/engines/engine.ts";
import { createEngine } from "../../../../src/worker/engines/select.ts";
import { openWebGpu } from "../../../../src/worker/engines/webgpu/open-webgpu.ts";
import { engineCompliance, sameBits } from "../../../compliance/engine.ts";
import { makeCase } from "../../../golden/golden.ts";
import { webGpuMissing } from "./webgpu-missing.ts";

/** On whatever adapter is there; where it computes on the processor, a shard may take a second. */
vi.setConfig({ testTimeout: 120_000 });

engineCompliance("webgpu", {
  create: () => createEngine("webgpu"),
  // Convolutions' gradients are sums of up to 100,000 products, added up one after the other.
  tolerance: 1e-3,
  deterministic: true,
  batchInvariant: true,
  missing: webGpuMissing,
});

const reason = webGpuMissing === undefined ? "" : ` (${webGpuMissing})`;

describe.skipIf(webGpuMissing !== undefined)(`the webgpu engine${reason}`, () => {
  const { parameters, shard } = makeCase(11, 4, 4);
  const engines: Engine[] = [];
  const create = async (): Promise<Engine> => {
    const engine = await createEngine("webgpu");
    engines.push(engine);
    engine.load(parameters);
    return engine;
  };
  const openDevice = async (): Promise<GpuDevice> => {
    const { tf, close } = await openWebGpu({});
    const { device } = tf.backend() as unknown as { readonly device: GpuDevice };
    await close();
    return device;
  };
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.dispose();
  });

  test("says what it is, and where it computes", async () => {
    const { device, runtime } = await create();
    expect(device).toMatch(/^[A-Za-z]\S*/);
    expect(runtime).toMatch(/^Dawn \(webgpu \d+\.\d+\.\d+\), [a-z]\w*: \S/);
  });

  test("a lost device ends the call under way and every later one, but not an engine that is opened afresh", async () => {
    const [engine, other] = [await create(), await create()];
    const expected = (await engine.gradients(shard)).gradient.slice();
    const lost = { code: "failed", message: expect.stringMatching(/ was lost \(destroyed: .*start the worker/) };
    const underWay = engine.gradients(shard);
    (await openDevice()).destroy();
    await expect(underWay).rejects.toMatchObject(lost);
    await expect(engine.gradients(shard)).rejects.toMatchObject(lost);
    await expect(other.gradients(shard)).rejects.toMatchObject(lost);
    for (const each of engines.splice(0)) await each.dispose();
    const fresh = await create();
    expect(sameBits((await fresh.gradients(shard)).gradient, expected)).toBe(true);
  });

  test("what the device refuses is an error, and not a gradient of zeros", async () => {
    const engine = await create();
    const device = await openDevice();
    device.createBuffer({ size: 8, usage: 0xffff });
    const refused = { code: "failed", message: expect.stringMatching(/ refused a computation .*65535 is invalid/) };
    await expect(engine.gradients(shard)).rejects.toMatchObject(refused);
  });

  test("a GPU that was asked for and is not there is an error, whatever else is there", async () => {
    await expect(createEngine("webgpu", { gpu: { name: "NVIDIA Imaginary 9000" } })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/was to use NVIDIA Imaginary 9000, but there is only \S/) as string,
    });
  });

  test("engines of one thread share a device, and cannot ask for two", async () => {
    await create();
    const asked = createEngine("webgpu", { deterministic: false });
    await expect(asked).rejects.toMatchObject({ code: "usage", message: expect.stringMatching(/dispose of it first/) });
    for (const engine of engines.splice(0)) await engine.dispose();
    engines.push(await createEngine("webgpu", { deterministic: false }));
  });

  test("leaves no tensors behind, and lets the process end", async () => {
    const { tf, close } = await openWebGpu({});
    const engine = await create();
    await engine.gradients(shard);
    const { numTensors } = tf.memory();
    for (let i = 0; i < 3; i++) {
      engine.load(parameters);
      await engine.gradients(shard);
    }
    expect(tf.memory().numTensors).toBe(numTensors);
    await engine.dispose();
    expect(tf.memory().numTensors).toBe(0);
    await close();
    const program = `
      const { createEngine } = await import(${JSON.stringify(SELECT)});
      await createEngine("webgpu").then((engine) => engine.dispose());
      console.log("disposed");`;
    const args = ["--import", "tsx", "--input-type=module", "-e", program];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
    expect({ stdout, status }).toEqual({ stdout: "disposed\n", status: 0 });
  });
});

/** As much of a WebGPU device as is needed to spoil it. */
interface GpuDevice {
  createBuffer(options: { readonly size: number; readonly usage: number }): unknown;
  destroy(): void;
}

const SELECT = fileURLToPath(new URL("../../../../src/worker/engines/select.ts", import.meta.url));
