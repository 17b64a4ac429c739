import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "tar";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cachedFolders, sha256Of, unpackIntoCache } from "../../src/setup-gpu/cache.ts";
import { archiveStem, isWanted, wantedWheels } from "../../src/setup-gpu/wanted-files.ts";
import { tinyZip } from "./tiny-zip.ts";

let folder: string;
let cache: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-cache-test-"));
  cache = join(folder, "cache");
});
afterEach(() => rmSync(folder, { recursive: true }));

const TENSORFLOW = {
  "tensorflow/libtensorflow_cc.so.2": "library",
  "tensorflow/include/tensorflow/c/c_api.h": "header",
  "tensorflow/include/Eigen/Core": "not wanted",
  "tensorflow/python/ops.py": "not wanted",
};
const CUDNN = { "nvidia/cuda_nvrtc/lib/libnvrtc.so.12": "nvrtc", "nvidia/cuda_nvcc/bin/ptxas": "program" };

function archive(name: string, bytes: Buffer): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

async function unpack(...archives: string[]): Promise<string> {
  return unpackIntoCache(cache, archives, await Promise.all(archives.map(sha256Of)), () => {});
}

describe("what belongs to a libtensorflow", () => {
  test.each([
    "tensorflow/libtensorflow_cc.so.2",
    "./lib/libtensorflow_framework.so.2.18.0",
    "org/tensorflow/internal/c_api/linux-x86_64/libtensorflow_cc.so.2",
    "tensorflow/include/tensorflow/c/eager/c_api.h",
    "tensorflow/include/xla/tsl/c/tsl_status.h",
    "include/tensorflow/core/platform/ctstring_internal.h",
    "nvidia/cudnn/lib/libcudnn_ops.so.9",
    "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc",
    "tensorflow_cpu-2.18.0.dist-info/METADATA",
  ])("%s", (path) => expect(isWanted(path)).toBe(true));

  test.each([
    "tensorflow/libtensorflow_cc.so",
    "tensorflow/include/Eigen/Core",
    "tensorflow/python/_pywrap_tensorflow_internal.so",
    "nvidia/cudnn/include/cudnn.h",
    "../lib/libtensorflow_cc.so.2",
    "/lib/libtensorflow_cc.so.2",
    "keras-3.1.0.dist-info/METADATA",
  ])("not %s", (path) => expect(isWanted(path)).toBe(false));

  test("of a folder of wheels, TensorFlow's and NVIDIA's", () => {
    const names = [
      "tensorflow-2.18.0-cp311.whl",
      "tensorflow_io-1-x.whl",
      "nvidia_cudnn_cu12-9-y.whl",
      "numpy-2-z.whl",
    ];
    expect(wantedWheels(names)).toEqual(["nvidia_cudnn_cu12-9-y.whl", "tensorflow-2.18.0-cp311.whl"]);
  });

  test("names of archives lose what is not the version", () => {
    expect(archiveStem("tensorflow_cpu-2.18.0-cp311-cp311-manylinux_2_17_x86_64.whl")).toBe("tensorflow_cpu-2.18.0");
    expect(archiveStem("libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz")).toBe("libtensorflow-cpu-linux-x86_64-2.9.1");
  });
});

test("wheels that belong together are unpacked into one folder, once", async () => {
  const wheels = [
    archive("tensorflow-2.18.0-cp311.whl", tinyZip(TENSORFLOW)),
    archive("nvidia_x-1-py3.whl", tinyZip(CUDNN)),
  ];
  const unpacked = await unpack(...wheels);
  expect(unpacked).toMatch(/\/cache\/tensorflow-2\.18\.0-[0-9a-f]{8}$/);
  expect(readFileSync(join(unpacked, "tensorflow/libtensorflow_cc.so.2"), "utf8")).toBe("library");
  expect(existsSync(join(unpacked, "tensorflow/python"))).toBe(false);
  expect(statSync(join(unpacked, "nvidia/cuda_nvcc/bin/ptxas")).mode & 0o777).toBe(0o755);
  // Under the name by which cuDNN looks for it.
  expect(readFileSync(join(unpacked, "nvidia/nvrtc/lib/libnvrtc.so.12"), "utf8")).toBe("nvrtc");

  rmSync(join(unpacked, "tensorflow"), { recursive: true });
  expect(await unpack(...wheels)).toBe(unpacked);
  expect(existsSync(join(unpacked, "tensorflow"))).toBe(false);
  expect(cachedFolders(cache)).toEqual([unpacked]);
});

test("an official archive is unpacked with its links", async () => {
  mkdirSync(join(folder, "tree/lib"), { recursive: true });
  writeFileSync(join(folder, "tree/lib/libtensorflow.so.2.18.0"), "library");
  symlinkSync("libtensorflow.so.2.18.0", join(folder, "tree/lib/libtensorflow.so.2"));
  symlinkSync("libtensorflow.so.2", join(folder, "tree/lib/libtensorflow.so"));
  const file = join(folder, "libtensorflow-2.18.0.tar.gz");
  await create({ file, gzip: true, cwd: join(folder, "tree") }, ["."]);
  const unpacked = await unpack(file);
  expect(readdirSync(join(unpacked, "lib")).sort()).toEqual(["libtensorflow.so.2", "libtensorflow.so.2.18.0"]);
  expect(readFileSync(join(unpacked, "lib/libtensorflow.so.2"), "utf8")).toBe("library");
});

describe("nothing stays in the cache of", () => {
  const whole = tinyZip(TENSORFLOW);
  const changed = Buffer.from(whole);
  changed[whole.indexOf("library")] = 0;

  test.each([
    ["an archive that is cut short", "tensorflow-2-x.whl", whole.subarray(0, -30), /tensorflow-2-x\.whl is damaged: /],
    ["an archive with another byte in a file", "tensorflow-2-x.whl", changed, /damaged: .*libtensorflow_cc.*checksum/],
    [
      "a damaged compressed archive",
      "tensorflow-2.tar.gz",
      Buffer.from("nonsense"),
      /tensorflow-2\.tar\.gz is damaged/,
    ],
    [
      "an archive of something else",
      "six-1-py3.whl",
      tinyZip({ "six.py": "" }),
      /neither a libtensorflow for Linux nor/,
    ],
  ])("%s", async (_what, name, bytes, message) => {
    await expect(unpack(archive(name, bytes))).rejects.toThrow(message);
    expect(readdirSync(cache)).toEqual([]);
  });

  test("a process that was killed, a day later", async () => {
    const file = archive("tensorflow-2.18.0-cp311.whl", tinyZip(TENSORFLOW));
    const unpacked = await unpack(file);
    rmSync(unpacked, { recursive: true });
    const name = unpacked.slice(cache.length + 1);
    const [old, young] = [join(cache, `.${name}.00000000.tmp`), join(cache, `.${name}.11111111.tmp`)];
    for (const leftover of [old, young]) mkdirSync(leftover);
    utimesSync(old, new Date(0), new Date(0));
    await unpack(file);
    expect(readdirSync(cache).sort()).toEqual([`.${name}.11111111.tmp`, name]);
  });
});
