import type { Dataset } from "../../shared/data/dataset.ts";
import { InputSource } from "../../shared/data/input-source.ts";
import { initialState } from "../../shared/model/initialise.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../../shared/model/lenet5.ts";
import type { Engine, EngineName, ShardInput } from "../../worker/engines/engine.ts";
import { createEngine } from "../../worker/engines/select.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { type Labels, type Measurement, measurementsOf, type SuiteReport } from "../report.ts";
import { type Candidate, takeTurns } from "../rounds.ts";

const SHARD_SIZES = [1, 8, 32, 64, 128, 256];
/** With which a GPU has enough to do at a time. */
const LARGE_SHARD_SIZES = [1_024, 4_096];
/** The reference engine is slow on purpose. */
const REFERENCE_SHARD_SIZE = 32;
/** Work of one engine in one round, at the least. */
const IMAGES = { wasm: 4_096, tensorflow: 4_096, webgpu: 4_096, reference: 128 } as const;
const QUICK_IMAGES = { wasm: 512, tensorflow: 512, webgpu: 64, reference: 32 } as const;

/** Forward and backward passes, by shard size, of one worker. */
export async function engineSuite(bench: Bench): Promise<SuiteReport> {
  const engines = new Map<EngineName, Engine>();
  const measurements: Measurement[] = [];
  try {
    for (const name of bench.engines) {
      const engine = await createEngine(name);
      engine.load(initialState(1).subarray(0, PARAMETER_COUNT));
      engines.set(name, engine);
    }
    for (const shardSize of shardSizes(bench.engines)) measurements.push(...(await measure(bench, engines, shardSize)));
  } finally {
    for (const engine of engines.values()) await engine.dispose();
  }
  const notes = [...engines.values()].map(({ name, device, runtime }) =>
    runtime === undefined ? `${name}: ${device}` : `${name}: ${device}, ${runtime}`,
  );
  const title = "forward and backward pass of one worker";
  return { suite: "engine", title, unit: "images/s", baseline: "the first engine", notes, measurements };
}

function shardSizes(engines: readonly EngineName[]): number[] {
  if (engines.every((name) => name === "reference")) return [REFERENCE_SHARD_SIZE];
  const hasGpuEngine = engines.includes("tensorflow") || engines.includes("webgpu");
  return hasGpuEngine ? [...SHARD_SIZES, ...LARGE_SHARD_SIZES] : SHARD_SIZES;
}

/** All engines and peers in turns. */
async function measure(
  bench: Bench,
  engines: ReadonlyMap<EngineName, Engine>,
  shardSize: number,
): Promise<Measurement[]> {
  bench.say(`engines with shards of ${shardSize}`);
  const labels: Labels[] = [];
  const candidates: Candidate[] = [];
  for (const [name, engine] of engines) {
    if (name === "reference" && shardSize !== REFERENCE_SHARD_SIZE) continue;
    labels.push({ engine: name, shard: shardSize });
    const images = amountOf<number>(bench, IMAGES[name], QUICK_IMAGES[name]);
    candidates.push(gradientsOf(engine, shardOf(bench.dataset, shardSize), images));
  }
  for (const peer of bench.peers) {
    const candidate = peer.gradients(shardSize);
    if (candidate === undefined) continue;
    labels.push({ engine: peer.name, shard: shardSize });
    candidates.push(candidate);
  }
  return measurementsOf(labels, await takeTurns(candidates, roundsOf(bench)), 0);
}

/** The first images of the training set. */
export function shardOf(dataset: Dataset, shardSize: number): ShardInput {
  const images = new Float32Array(shardSize * IMAGE_SIZE);
  const labels = new Uint8Array(shardSize);
  new InputSource(dataset.train).gatherRange(0, shardSize, images, labels);
  return { images, labels, globalCount: shardSize };
}

/** Images a second of one engine on one shard, again and again. */
export function gradientsOf(engine: Pick<Engine, "gradients">, shard: ShardInput, images: number): Candidate {
  const shardSize = shard.labels.length;
  const calls = Math.ceil(images / shardSize);
  return {
    measure: async () => {
      const startedAt = performance.now();
      for (let call = 0; call < calls; call++) await engine.gradients(shard);
      return (calls * shardSize) / ((performance.now() - startedAt) / 1000);
    },
  };
}
