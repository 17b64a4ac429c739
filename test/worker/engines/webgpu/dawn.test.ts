import { expect, test } from "vitest";
import { importWebGpu } from "../../../../src/worker/engines/webgpu/dawn.ts";

/** Loads as `import` would where one package is missing or broken. */
const loader = (broken: string, error: Error) => async (name: string) => {
  if (name === broken) throw error;
  return {};
};

test.each(["@tensorflow/tfjs-core", "webgpu", "@tensorflow/tfjs-backend-webgpu"])(
  "without the package %s it names the command that installs it",
  async (name) => {
    const error = Object.assign(new Error(`Cannot find package '${name}'`), { code: "ERR_MODULE_NOT_FOUND" });
    await expect(importWebGpu(loader(name, error))).rejects.toMatchObject({
      code: "usage",
      message: "the webgpu engine needs two more packages: run npm run setup:gpu -- --engine webgpu",
      cause: error,
    });
  },
);

test("a package that does not load is not taken for one that is missing", async () => {
  const error = Object.assign(new Error("dawn.node: cannot open shared object file\nat x"), {
    code: "ERR_DLOPEN_FAILED",
  });
  await expect(importWebGpu(loader("webgpu", error))).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(/packages do not load \(dawn\.node: cannot open shared object file\): run npm run/),
  });
});
