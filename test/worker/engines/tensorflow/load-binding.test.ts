import { expect, test } from "vitest";
import { loadTensorFlow } from "../../../../src/worker/engines/tensorflow/load-binding.ts";

const GPU = "@tensorflow/tfjs-node-gpu";
const CPU = "@tensorflow/tfjs-node";

function notInstalled(name: string): Error {
  return Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- x`), { code: "MODULE_NOT_FOUND" });
}

/** Loads as node:module's require would. */
const loader = (packages: Record<string, object | Error>) => (name: string) => {
  const found = packages[name] ?? notInstalled(name);
  if (found instanceof Error) throw found;
  return found;
};

test("tfjs-node-gpu is preferred, tfjs-node serves where only that works", () => {
  const [gpu, cpu] = [{ which: "gpu" }, { which: "cpu" }];
  expect(loadTensorFlow(loader({ [GPU]: gpu, [CPU]: cpu }))).toBe(gpu);
  expect(loadTensorFlow(loader({ [CPU]: cpu }))).toBe(cpu);
  expect(loadTensorFlow(loader({ [GPU]: new Error("libcuda.so.1: cannot open"), [CPU]: cpu }))).toBe(cpu);
});

test.each([
  [
    "nothing is installed",
    {},
    /neither @tensorflow\/tfjs-node-gpu nor @tensorflow\/tfjs-node is installed; run npm run/,
  ],
  [
    "the binding was never made",
    { [GPU]: new Error("The Node.js native addon module (tfjs_binding.node) can not be found at path: /x") },
    /tfjs-node-gpu is installed without its binding to TensorFlow; run npm run setup:gpu/,
  ],
  [
    "a library is missing, and only its name is told",
    { [GPU]: new Error("libtensorflow_cc.so.2: cannot open shared object file\nat x") },
    /tfjs-node-gpu does not load \(libtensorflow_cc\.so\.2: cannot open shared object file\); run/,
  ],
  [
    "a package that it needs is missing",
    { [GPU]: notInstalled("google-protobuf") },
    /does not load \(Cannot find module 'google-protobuf'\)/,
  ],
  [
    "both are damaged",
    { [GPU]: new Error("first"), [CPU]: new Error("second") },
    /tfjs-node-gpu does not load \(first\); @tensorflow\/tfjs-node does not load \(second\)/,
  ],
])("%s", (_, packages: Record<string, object | Error>, message) => {
  expect(() => loadTensorFlow(loader(packages))).toThrow(expect.objectContaining({ code: "usage" }));
  expect(() => loadTensorFlow(loader(packages))).toThrow(message);
});

test("what Node.js 23 has removed is there before the package is loaded", async () => {
  const util = (await import("node:util")).default as unknown as Record<string, (value: unknown) => boolean>;
  loadTensorFlow(() => {
    expect(util.isNullOrUndefined!(undefined)).toBe(true);
    expect(util.isNullOrUndefined!(0)).toBe(false);
    expect(util.isArray!([])).toBe(true);
    return {};
  });
});
