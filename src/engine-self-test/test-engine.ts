/** Lets an engine compute one gradient, in this process, and holds it against the reference engine's. */

import { messageOf } from "../shared/errors.ts";
import { initialState } from "../shared/model/initialise.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../shared/model/lenet5.ts";
import { below, randomWords, STREAMS } from "../shared/random.ts";
import type { Engine, EngineName, ShardInput } from "../worker/engines/engine.ts";
import { createEngine } from "../worker/engines/select.ts";
import { worstDifference } from "../worker/engines/worst-difference.ts";
import { SELF_TEST_IMAGES, type SelfTestResult } from "./result.ts";

/** Relative to a tensor's largest value. float32 in another order differs by 1e-6; wrong kernels, by much more. */
const TOLERANCE = 1e-3;
const SEED = 1;
/** After the first call. */
const MEASURED_CALLS = 5;

/**
 * @param gpuRequired whether computing on the CPU is a failure
 * @returns never a rejection: what is thrown becomes the result's problem
 */
export async function testEngine(name: EngineName, gpuRequired: boolean): Promise<SelfTestResult> {
  let about: Pick<SelfTestResult, "device" | "runtime"> = {};
  try {
    const engine = await createEngine(name);
    try {
      const { device, runtime } = engine;
      about = { device, ...(runtime === undefined ? {} : { runtime }) };
      if (gpuRequired && /^cpu\b/i.test(device)) {
        return { ok: false, engine: name, ...about, problem: "it computes on the CPU, although there is a GPU for it" };
      }
      return { engine: name, ...about, ...(await compare(engine)) };
    } finally {
      await engine.dispose();
    }
  } catch (error) {
    return { ok: false, engine: name, ...about, problem: messageOf(error) };
  }
}

async function compare(engine: Engine): Promise<Omit<SelfTestResult, "engine">> {
  const parameters = initialState(SEED).subarray(0, PARAMETER_COUNT);
  const shard = noise(SELF_TEST_IMAGES);
  engine.load(parameters);
  const first = await timed(async () => (await engine.gradients(shard)).gradient.slice());
  let milliseconds = Infinity;
  for (let call = 0; call < MEASURED_CALLS; call++) {
    milliseconds = Math.min(milliseconds, (await timed(() => engine.gradients(shard))).milliseconds);
  }
  const times = { firstMilliseconds: first.milliseconds, milliseconds };
  const { relative, tensor } = worstDifference(await referenceGradient(parameters, shard), first.result);
  if (relative <= TOLERANCE) return { ok: true, ...times, largestDifference: relative };
  const problem = `its gradient of ${tensor} differs from the reference engine's by ${relative.toExponential(1)}, allowed: ${TOLERANCE}`;
  // JSON has no Infinity.
  return { ok: false, ...times, ...(Number.isFinite(relative) ? { largestDifference: relative } : {}), problem };
}

async function referenceGradient(parameters: Float32Array, shard: ShardInput): Promise<Float32Array> {
  const engine = await createEngine("reference");
  engine.load(parameters);
  return (await engine.gradients(shard)).gradient;
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ result: T; milliseconds: number }> {
  const startedAt = performance.now();
  const result = await work();
  return { result, milliseconds: performance.now() - startedAt };
}

/** The same on every machine. */
function noise(count: number): ShardInput {
  const words = new Uint32Array((count * IMAGE_SIZE) / 4);
  randomWords(SEED, STREAMS.augmentation, 0, 0, words);
  return {
    images: new Uint8Array(words.buffer),
    labels: Uint8Array.from({ length: count }, (_, index) => below(10, words[index] ?? 0)),
    globalCount: count,
  };
}
