import type { Dataset } from "../../shared/data/dataset.ts";
import { InputSource } from "../../shared/data/input-source.ts";
import { initialState } from "../../shared/model/initialise.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../../shared/model/lenet5.ts";
import type { ShardInput } from "../../worker/engines/engine.ts";
import { createEngine } from "../../worker/engines/select.ts";
import { worstDifference } from "../../worker/engines/worst-difference.ts";
import type { Finding } from "./finding.ts";

/** The usual shard. */
const SHARD_SIZE = 32;
/** The first call compiles; the fastest of these is what a shard takes later on. */
const MEASURED_CALLS = { wasm: 20, reference: 2 } as const;
/** Largest difference between two engines, relative to the tensor's largest value. */
const TOLERANCE = 1e-4;

/** Lets every engine compute the gradient of the first shard, and holds them against each other. */
export async function compareEngines(dataset: Dataset): Promise<Finding> {
  const source = new InputSource(dataset.train);
  const count = Math.min(SHARD_SIZE, source.count);
  const images = new Float32Array(count * IMAGE_SIZE);
  const labels = new Uint8Array(count);
  source.gatherRange(0, count, images, labels);
  const parameters = initialState(1).subarray(0, PARAMETER_COUNT);

  const results = [];
  for (const name of ["wasm", "reference"] as const) {
    results.push({ name, ...(await computeGradient(name, parameters, { images, labels, globalCount: count })) });
  }
  const times = results.map(({ name, milliseconds }) => `${name} ${milliseconds.toFixed(1)} ms`).join(", ");
  const [first, ...others] = results;
  const differences = others.map(({ gradient }) => worstDifference(first?.gradient ?? gradient, gradient));
  const worst = differences.reduce((a, b) => (a.relative >= b.relative ? a : b), { tensor: "", relative: 0 });
  const found = `${times} for ${count} images, gradients agree to ${worst.relative.toExponential(0)}`;
  if (worst.relative <= TOLERANCE) return { status: "ok", found };
  return {
    status: "problem",
    found: `${times}; gradients differ by ${worst.relative.toExponential(1)} in ${worst.tensor}, allowed: ${TOLERANCE}`,
    fix: "rm -rf dist && npm run build; if it stays, this machine computes wrongly: please report it with this output",
  };
}

async function computeGradient(
  name: keyof typeof MEASURED_CALLS,
  parameters: Float32Array,
  shard: ShardInput,
): Promise<{ gradient: Float32Array; milliseconds: number }> {
  const engine = await createEngine(name);
  try {
    engine.load(parameters);
    const gradient = (await engine.gradients(shard)).gradient.slice();
    let milliseconds = Infinity;
    for (let call = 0; call < MEASURED_CALLS[name]; call++) {
      const startedAt = performance.now();
      await engine.gradients(shard);
      milliseconds = Math.min(milliseconds, performance.now() - startedAt);
    }
    return { gradient, milliseconds };
  } finally {
    await engine.dispose();
  }
}
