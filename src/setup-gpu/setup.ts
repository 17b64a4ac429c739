/** What `npm run setup:gpu` does. */

import { describeSelfTest, type SelfTestResult } from "../engine-self-test/result.ts";
import { selfTest } from "../engine-self-test/run-self-test.ts";
import { LockstepError } from "../shared/errors.ts";
import { formatPlural } from "../shared/format.ts";
import type { SetupRequest } from "./arguments.ts";
import { compileBinding, findCompiler } from "./compile.ts";
import { download } from "./download.ts";
import { findBinding } from "./installed-binding.ts";
import type { Libtensorflow } from "./libtensorflow.ts";
import { installPackages, packageFolder, TENSORFLOW_PACKAGE, WEBGPU_PACKAGES } from "./node-package.ts";
import { hasNvidiaGpu } from "./nvidia-gpu.ts";
import { thisPlatform, unsupportedPlatform } from "./platform.ts";
import { headersFor, libtensorflowFor } from "./resolve-libtensorflow.ts";

/** TensorFlow 2.18 has machine code for GPUs up to compute capability 8.9; the driver compiles it for newer ones. */
const GPU_TIMEOUT_MS = 1_800_000;

type Say = (line: string) => void;

export interface SetupResult {
  readonly ok: boolean;
  readonly engine: "tensorflow" | "webgpu";
  /** Folder of the libtensorflow in use. */
  readonly libtensorflow?: string;
  readonly hasCuda?: boolean;
  /** Files of a download that was all that was asked for. */
  readonly files?: readonly string[];
  readonly selfTest?: SelfTestResult;
}

/**
 * @param say gets lines of progress
 * @throws LockstepError ("failed") when it cannot be set up; a test that fails is in the result
 */
export async function setUp(request: SetupRequest, say: Say): Promise<SetupResult> {
  const { download: flavour, downloadOnly, engine } = request;
  if (flavour !== undefined && downloadOnly !== undefined) {
    const { files } = await download(flavour, downloadOnly, say);
    say(`${formatPlural(files.length, "file")} in ${downloadOnly}: give that folder to --libtensorflow`);
    return { ok: true, engine, files };
  }
  if (engine === "webgpu") return setUpWebGpu(request, say);
  const unsupported = unsupportedPlatform(thisPlatform());
  if (unsupported !== undefined) throw new LockstepError("failed", unsupported);
  return request.check ? check(request, say) : setUpTensorFlow(request, say);
}

async function setUpWebGpu(request: SetupRequest, say: Say): Promise<SetupResult> {
  const missing = WEBGPU_PACKAGES.filter((name) => packageFolder(name) === undefined);
  if (missing.length > 0 && request.check) {
    throw new LockstepError("failed", `${missing.join(" and ")} not installed: npm run setup:gpu -- --engine webgpu`);
  }
  if (missing.length > 0) await installPackages(missing, say);
  const result = await selfTest("webgpu", withTimeout(request.selfTestTimeoutMs));
  say(describeSelfTest(result));
  return { ok: result.ok, engine: "webgpu", selfTest: result };
}

async function setUpTensorFlow(request: SetupRequest, say: Say): Promise<SetupResult> {
  const compiler = await findCompiler(request.compiler);
  const library = await libtensorflowFor(request, say);
  const headers = await headersFor(library, request, say);
  if (packageFolder(TENSORFLOW_PACKAGE) === undefined) await installPackages([TENSORFLOW_PACKAGE], say);
  const folder = packageFolder(TENSORFLOW_PACKAGE);
  if (folder === undefined) throw new LockstepError("failed", `${TENSORFLOW_PACKAGE} is not installed: npm ci`);
  say(`Compiling the binding with ${compiler} against ${describe(library)}`);
  const version = await compileBinding({ library, headers, packageFolder: folder, compiler });
  say(`The binding loads TensorFlow ${version}`);
  return tested(library, request, say);
}

/** Reports on the binding that is in place. */
async function check(request: SetupRequest, say: Say): Promise<SetupResult> {
  const folder = packageFolder(TENSORFLOW_PACKAGE);
  if (folder === undefined) {
    throw new LockstepError("failed", `${TENSORFLOW_PACKAGE} is not installed: npm run setup:gpu puts it back`);
  }
  const binding = await findBinding(process.env);
  if (binding === undefined) {
    throw new LockstepError("failed", `${TENSORFLOW_PACKAGE} has no binding yet: run npm run setup:gpu`);
  }
  const { packageName, libtensorflow } = binding;
  if (libtensorflow === undefined) say(`Testing ${packageName}`);
  else say(`${packageName} uses ${describe(libtensorflow)}`);
  return tested(libtensorflow, request, say);
}

async function tested(
  library: Libtensorflow | undefined,
  { selfTestTimeoutMs }: SetupRequest,
  say: Say,
): Promise<SetupResult> {
  const hasCuda = library?.hasCuda ?? false;
  const hasGpu = await hasNvidiaGpu();
  const gpuRequired = hasCuda && hasGpu;
  if (hasCuda && !gpuRequired)
    say("This TensorFlow has CUDA, but there is no NVIDIA GPU to be seen: testing on the CPU");
  if (!hasCuda && hasGpu) {
    say("This TensorFlow has no CUDA and will not use the GPU that is there: npm run setup:gpu -- --download cuda12");
  }
  if (gpuRequired) say("Testing on the GPU; the first time may take minutes");
  const timeoutMs = selfTestTimeoutMs ?? (gpuRequired ? GPU_TIMEOUT_MS : undefined);
  const result = await selfTest("tensorflow", { ...withTimeout(timeoutMs), gpuRequired });
  say(describeSelfTest(result));
  const used = library === undefined ? {} : { libtensorflow: library.folder, hasCuda };
  return { ok: result.ok, engine: "tensorflow", ...used, selfTest: result };
}

function withTimeout(timeoutMs: number | undefined): { timeoutMs?: number } {
  return timeoutMs === undefined ? {} : { timeoutMs };
}

function describe({ version, hasCuda, folder }: Libtensorflow): string {
  return `TensorFlow ${version ?? "of unknown version"} ${hasCuda ? "with" : "without"} CUDA in ${folder}`;
}
