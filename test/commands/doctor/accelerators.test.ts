import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceleratorChecks } from "../../../src/commands/doctor/accelerators.ts";
import { type Finding, findOut } from "../../../src/commands/doctor/finding.ts";
import type { SelfTestResult } from "../../../src/engine-self-test/result.ts";
import type { selfTest } from "../../../src/engine-self-test/run-self-test.ts";
import { claimGpu } from "../../../src/worker/gpus/gpu-claim.ts";
import { type TinyElf, tinyElf } from "../../setup-gpu/tiny-elf.ts";

/** A machine in a folder: programs in bin, packages in node_modules, TensorFlow and CUDA in site. */
let machine: string;
beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), "lockstep-doctor-test-"));
  // The cache of the machine that this runs on may have CUDA in it.
  putProgram("ldconfig", "echo '\tlibz.so.1 (libc6,x86-64) => /lib/libz.so.1'");
});
afterEach(() => rmSync(machine, { recursive: true, force: true }));

function put(path: string, content: Buffer | string = "", mode = 0o644): void {
  mkdirSync(dirname(join(machine, path)), { recursive: true });
  writeFileSync(join(machine, path), content, { mode });
}

const putProgram = (name: string, script: string): void => put(`bin/${name}`, `#!/bin/sh\n${script}\n`, 0o755);

interface FakeGpu {
  readonly uuid?: string;
  readonly driver?: string;
  readonly capability?: string;
}

function putGpus(...gpus: readonly FakeGpu[]): void {
  const lines = gpus.map(({ uuid = `GPU-${randomUUID()}`, driver = "550.54.15", capability = "9.0" }, index) => {
    return `echo '${index}, ${uuid}, NVIDIA H100, ${driver}, 81920, ${capability}, Disabled'`;
  });
  const table = "echo '| NVIDIA-SMI 550.54.15   Driver Version: 550.54.15   CUDA Version: 12.4 |'";
  putProgram("nvidia-smi", `case "$1" in --query-gpu*) ${lines.join("; ")} ;; *) ${table} ;; esac`);
}

const BINDING = "node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node";

/** The tensorflow engine's package with its binding, and what that loads. */
function putTensorFlow(version: string, framework: TinyElf = {}): void {
  put("node_modules/@tensorflow/tfjs-node-gpu/package.json", '{"version": "4.22.0"}');
  put(BINDING, tinyElf({ needed: ["libtensorflow_cc.so.2"], runpath: join(machine, "site/tensorflow") }));
  put("site/tensorflow/libtensorflow_cc.so.2", tinyElf({}));
  put("site/tensorflow/libtensorflow_framework.so.2", tinyElf(framework));
  put(`site/tensorflow-${version}.dist-info/METADATA`);
}

const WITH_CUDA: TinyElf = { sections: [".nv_fatbin"], runpath: "$ORIGIN/../nvidia/all/lib" };

const CUDA_12 = "cudart.so.12 cublas.so.12 cublasLt.so.12 cufft.so.11 cusolver.so.11 cusparse.so.12 nvJitLink.so.12"
  .split(" ")
  .map((name) => `lib${name}`);

const putLibraries = (folder: string, names: readonly string[]): void => {
  for (const name of names) put(`${folder}/${name}`);
};

const works: SelfTestResult = {
  ok: true,
  engine: "tensorflow",
  device: "cpu (TensorFlow)",
  runtime: "TensorFlow 2.18.0",
  milliseconds: 12.34,
  largestDifference: 6e-6,
};

interface Examination {
  readonly environment?: Readonly<Record<string, string>>;
  /** What an engine's test finds. */
  readonly results?: { readonly tensorflow?: Partial<SelfTestResult>; readonly webgpu?: Partial<SelfTestResult> };
}

/** What the doctor finds on the machine, a line for each thing, and which tests it ran. */
async function examine({ environment = {}, results = {} }: Examination = {}) {
  const tests: { engine: string; visible: string | undefined; gpuRequired: boolean | undefined }[] = [];
  const fakeTest: typeof selfTest = (engine, options) => {
    tests.push({ engine, visible: options?.environment?.CUDA_VISIBLE_DEVICES, gpuRequired: options?.gpuRequired });
    const result = engine === "webgpu" ? results.webgpu : results.tensorflow;
    return Promise.resolve(result?.ok === false ? { engine, ok: false, ...result } : { ...works, engine, ...result });
  };
  const checks = acceleratorChecks({
    environment: { PATH: join(machine, "bin"), ...environment },
    root: machine,
    device: join(machine, "nvidiactl"),
    test: fakeTest,
  });
  const findings: Record<string, Finding> = {};
  for (const check of checks) {
    for (const { name = check.name, ...finding } of await findOut(check)) findings[name] = finding;
  }
  return { findings, tests };
}

const linux = process.platform === "linux" && process.arch === "x64";

describe.runIf(linux)("a machine without a GPU", () => {
  test("lacks nothing, and no engine is tested", async () => {
    const { findings, tests } = await examine();
    expect(findings).toEqual({
      GPUs: { status: "ok", found: "none found (nvidia-smi is not installed)" },
      tensorflow: { status: "ok", found: "not set up (optional); npm run setup:gpu sets it up" },
      webgpu: { status: "ok", found: "not set up (optional); npm run setup:gpu -- --engine webgpu sets it up" },
    });
    expect(tests).toEqual([]);
  });

  test("computes with TensorFlow on the CPU, and CUDA's libraries do not matter", async () => {
    putTensorFlow("2.18.0", WITH_CUDA);
    const { findings, tests } = await examine();
    expect(findings.libtensorflow).toEqual({
      status: "ok",
      found: `TensorFlow 2.18.0 with CUDA in ${machine}/site/tensorflow, used by @tensorflow/tfjs-node-gpu 4.22.0`,
    });
    expect(findings["CUDA libraries"]).toMatchObject({
      status: "ok",
      found: expect.stringMatching(/^none of CUDA 12 and cuDNN 9 found: .*; only machines with a GPU need them$/),
    });
    const found = "TensorFlow 2.18.0 on the CPU: 12.3 ms for 32 images, gradients agree to 6e-6";
    expect(findings.tensorflow).toEqual({ status: "ok", found });
    expect(tests).toEqual([{ engine: "tensorflow", visible: "-1", gpuRequired: false }]);
  });

  test("may have a driver, but nothing to ask it with", async () => {
    put("nvidiactl");
    const { findings } = await examine();
    expect(findings.GPUs).toMatchObject({
      status: "warning",
      fix: expect.stringContaining("NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
    });
  });

  test("whose driver does not answer is told to look after it", async () => {
    putProgram("nvidia-smi", "echo 'cannot communicate with the driver'; exit 9");
    const { findings } = await examine();
    expect(findings.GPUs).toMatchObject({
      status: "warning",
      found: "none found (nvidia-smi failed: cannot communicate with the driver)",
      fix: expect.stringContaining("https://www.nvidia.com/drivers"),
    });
    expect(findings.tensorflow?.status).toBe("ok");
  });
});

describe.runIf(linux)("a machine with GPUs", () => {
  const onGpu = { device: "GPU (CUDA)" };
  const onCpu = {
    ok: false,
    device: "cpu (TensorFlow)",
    runtime: "TensorFlow 2.18.0",
    problem: "it computes on the CPU, although there is a GPU for it",
  };

  test("says which may be used, who uses them, and computes on a free one", async () => {
    const [first, second] = [`GPU-${randomUUID()}`, `GPU-${randomUUID()}`];
    putGpus({ uuid: first }, {}, { uuid: second });
    putTensorFlow("2.18.0", WITH_CUDA);
    putLibraries("site/nvidia/all/lib", [...CUDA_12, "libcudnn.so.9", "libcuda.so.1"]);
    const claim = await claimGpu(second, "lockstep worker for tcp://h:1");
    const environment = { CUDA_VISIBLE_DEVICES: "2,0" };
    const { findings, tests } = await examine({ environment, results: { tensorflow: onGpu } });
    claim?.release();
    expect(findings).toMatchObject({
      GPUs: {
        status: "ok",
        found: '2 of 3 chosen by CUDA_VISIBLE_DEVICES="2,0", driver 550.54.15 for CUDA up to 12.4',
      },
      "GPU 0": {
        found: expect.stringMatching(
          `^NVIDIA H100, 80.0 GiB, compute capability 9.0, in use by lockstep worker for tcp://h:1, process ${process.pid}, since `,
        ),
      },
      "GPU 1": { found: "NVIDIA H100, 80.0 GiB, compute capability 9.0, no lockstep uses it" },
      "CUDA libraries": {
        status: "ok",
        found: `all 8 of CUDA 12 and cuDNN 9 found, in ${machine}/site/nvidia/all/lib`,
      },
      tensorflow: {
        status: "ok",
        found:
          "TensorFlow 2.18.0 on GPU 1: 12.3 ms for 32 images, gradients agree to 6e-6; train with --engine tensorflow",
      },
    });
    expect(findings).not.toHaveProperty("GPU 2");
    expect(tests).toEqual([{ engine: "tensorflow", visible: first, gpuRequired: true }]);
  });

  test.each([
    ["-1", "ok"],
    ["", "ok"],
    ["7", "warning"],
  ])("that CUDA_VISIBLE_DEVICES=%j hides: %s", async (variable, status) => {
    putGpus({});
    putTensorFlow("2.18.0");
    const { findings, tests } = await examine({ environment: { CUDA_VISIBLE_DEVICES: variable } });
    expect(findings.GPUs).toMatchObject({ status, found: expect.stringContaining(`is "${variable}"`) });
    expect(findings.tensorflow?.status).toBe("ok");
    expect(tests).toMatchObject([{ visible: "-1", gpuRequired: false }]);
  });

  test("wants TensorFlow with CUDA, where there is none or one without", async () => {
    putGpus({});
    const fix = "npm run setup:gpu -- --download cuda12";
    expect((await examine()).findings.tensorflow).toMatchObject({ status: "warning", fix });
    putTensorFlow("2.18.0");
    expect((await examine()).findings.tensorflow).toEqual({
      status: "warning",
      found:
        "TensorFlow 2.18.0 computes on the CPU, although there is a GPU for it: NVIDIA H100; it is built without CUDA",
      fix,
    });
  });

  test("names the libraries that are missing, and brings them", async () => {
    putGpus({});
    putTensorFlow("2.18.0", WITH_CUDA);
    putLibraries("site/nvidia/all/lib", [...CUDA_12, "libcuda.so.1", "libcudnn.so.8"]);
    const { findings } = await examine({ results: { tensorflow: onCpu } });
    expect(findings["CUDA libraries"]).toEqual({
      status: "warning",
      found: "not found, of CUDA 12 and cuDNN 9: libcudnn.so.9; TensorFlow computes on the CPU without",
      fix: "npm run setup:gpu -- --download cuda12",
    });
    expect(findings.tensorflow).toMatchObject({ status: "warning", fix: "see CUDA libraries" });
  });

  test("shows the way to libraries where nobody looks, unless it is shown already", async () => {
    putGpus({});
    putTensorFlow("2.18.0", { sections: [".nv_fatbin"] });
    putLibraries("site/nvidia/cudnn/lib", [...CUDA_12, "libcudnn.so.9", "libcuda.so.1"]);
    const folder = join(machine, "site/nvidia/cudnn/lib");
    const { findings } = await examine();
    const fix = `export LD_LIBRARY_PATH=${folder}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`;
    expect(findings["CUDA libraries"]).toMatchObject({ status: "warning", fix });
    expect(findings["CUDA driver"]?.status).toBe("warning");
    const shown = await examine({ environment: { LD_LIBRARY_PATH: folder } });
    expect(shown.findings["CUDA libraries"]?.status).toBe("ok");
    expect(shown.findings).not.toHaveProperty("CUDA driver");
  });

  test("needs a driver that is as new as CUDA", async () => {
    putGpus({ driver: "470.82.01" });
    putTensorFlow("2.18.0", WITH_CUDA);
    putLibraries("site/nvidia/all/lib", [...CUDA_12, "libcuda.so.1", "libcudnn.so.9"]);
    const { findings } = await examine({ results: { tensorflow: onCpu } });
    expect(findings.GPUs).toMatchObject({
      status: "warning",
      found: expect.stringContaining(
        "driver 470.82.01 for CUDA up to 12.4, which is too old for TensorFlow with CUDA 12",
      ),
      fix: "install driver 525.60.13 or later: https://www.nvidia.com/drivers",
    });
    expect(findings.tensorflow?.fix).toBe("see GPUs");
    putTensorFlow("2.9.1", WITH_CUDA);
    rmSync(join(machine, "site/tensorflow-2.18.0.dist-info"), { recursive: true });
    expect((await examine()).findings.GPUs?.status).toBe("ok");
  });

  test("that are younger than TensorFlow compile first", async () => {
    putGpus({ capability: "8.9" }, { capability: "9.0" });
    putTensorFlow("2.9.1", WITH_CUDA);
    expect((await examine()).findings["GPU code"]).toMatchObject({
      status: "warning",
      found: expect.stringContaining("CUDA 11 has none for compute capability 9.0: "),
      fix: expect.stringContaining("npm run setup:gpu -- --download cuda12; or export CUDA_CACHE_MAXSIZE"),
    });
    putGpus({ capability: "8.9" });
    expect((await examine()).findings).not.toHaveProperty("GPU code");
  });

  test("on which the test does not end is told how to wait longer", async () => {
    putGpus({});
    putTensorFlow("2.18.0", WITH_CUDA);
    const problem = "no result within 60 s; a GPU that is newer compiles: try --self-test-timeout 1800; it said: hm";
    expect((await examine({ results: { tensorflow: { ok: false, problem } } })).findings.tensorflow).toEqual({
      status: "warning",
      found: "does not work: no result within 60 s; it said: hm",
      fix: "npm run setup:gpu -- --check --self-test-timeout 1800",
    });
  });
});

describe.runIf(linux)("a binding", () => {
  test("that is damaged is not loaded", async () => {
    putTensorFlow("2.18.0");
    put(BINDING, "nonsense");
    const { findings, tests } = await examine();
    expect(findings.libtensorflow).toEqual({
      status: "warning",
      found:
        'the binding of @tensorflow/tfjs-node-gpu is not a shared library for Linux: it does not begin with "\\x7fELF"',
      fix: "npm run setup:gpu",
    });
    expect(findings.tensorflow).toMatchObject({ status: "warning", fix: "see libtensorflow" });
    expect(tests).toEqual([]);
  });

  test("whose libtensorflow is gone says where that was", async () => {
    putTensorFlow("2.18.0");
    rmSync(join(machine, "site"), { recursive: true });
    const found = `the binding of @tensorflow/tfjs-node-gpu was compiled for a libtensorflow that is gone: there is no libtensorflow_cc.so.2 in ${machine}/site/tensorflow`;
    expect((await examine()).findings.libtensorflow).toMatchObject({ status: "warning", found });
  });

  test("that crashes is to be made again", async () => {
    putTensorFlow("2.18.0");
    const result = { ok: false, problem: "its process crashed (SIGSEGV)" };
    expect((await examine({ results: { tensorflow: result } })).findings.tensorflow).toEqual({
      status: "warning",
      found: "does not work: its process crashed (SIGSEGV)",
      fix: "npm run setup:gpu",
    });
  });
});

describe("the webgpu engine", () => {
  const putPackages = (...names: readonly string[]): void => {
    for (const name of names) put(`node_modules/${name}/package.json`, "{}");
  };
  const webgpu = { device: "NVIDIA H100", runtime: "Dawn (webgpu 0.6.2), vulkan: NVIDIA 550.54.15" };

  test("is half set up with one of its packages", async () => {
    putPackages("webgpu");
    expect((await examine()).findings.webgpu).toEqual({
      status: "warning",
      found: "half set up: @tensorflow/tfjs-backend-webgpu is not installed",
      fix: "npm run setup:gpu -- --engine webgpu",
    });
  });

  test("says what it computes on, and warns when that is not the GPU that is there", async () => {
    putPackages("webgpu", "@tensorflow/tfjs-backend-webgpu");
    expect((await examine({ results: { webgpu } })).findings.webgpu).toEqual({
      status: "ok",
      found:
        "Dawn (webgpu 0.6.2) on NVIDIA H100: 12.3 ms for 32 images, gradients agree to 6e-6; train with --engine webgpu",
    });
    const software = { webgpu: { ...webgpu, device: "llvmpipe (LLVM 15.0.6, 256 bits)" } };
    const found =
      "Dawn (webgpu 0.6.2) on llvmpipe (LLVM 15.0.6, 256 bits), which is the CPU: 12.3 ms for 32 images, gradients agree to 6e-6";
    expect((await examine({ results: software })).findings.webgpu).toEqual({ status: "ok", found });
    putGpus({});
    expect((await examine({ results: software })).findings.webgpu?.status).toBe("warning");
  });

  test("passes the engine's own advice on", async () => {
    putPackages("webgpu", "@tensorflow/tfjs-backend-webgpu");
    const problem =
      "the webgpu engine was to use a GPU, but finds no driver at all: install the GPU's Vulkan driver and the package libvulkan1 (hint)";
    expect((await examine({ results: { webgpu: { ok: false, problem } } })).findings.webgpu).toMatchObject({
      status: "warning",
      fix: "install the GPU's Vulkan driver and the package libvulkan1 (hint)",
    });
  });
});
