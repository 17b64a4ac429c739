import { expect, test } from "vitest";
import type { EngineName, EngineOptions } from "../../../src/worker/engines/engine.ts";
import { createEngine } from "../../../src/worker/engines/select.ts";

test.each([
  ["auto", "wasm"],
  ["wasm", "wasm"],
  ["reference", "reference"],
] as const)("%s makes the %s engine", async (asked, made) => {
  const engine = await createEngine(asked);
  expect(engine.name).toBe(made);
  await engine.dispose();
});

test("an unknown name is refused with the names there are", async () => {
  await expect(createEngine("cuda" as EngineName)).rejects.toMatchObject({
    code: "usage",
    message: 'there is no engine named "cuda": choose auto, wasm, tensorflow, webgpu or reference',
  });
});

test.each([0, "0", {}, null])("a GPU that is none, such as %j, is refused before anything is loaded", async (gpu) => {
  const options = { gpu } as unknown as EngineOptions;
  await expect(createEngine("tensorflow", options)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(`gpu is ${JSON.stringify(gpu)}: `) as string,
  });
});
