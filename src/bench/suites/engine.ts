import type { Dataset } from "../../shared/data/dataset.ts";
import { InputSource } from "../../shared/data/input-source.ts";
import { initialState } from "../../shared/model/initialise.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../../shared/model/lenet5.ts";
import type { Engine, EngineName, ShardInput } from "../../worker/engines/engine.ts";
import { createEngine } from "../../worker/engines/select.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { type Labels, type Measurement, measurementsOf, type SuiteReport } from "../report.ts";
import { type Candidate, takeTurns } from "../rounds.ts";

const SHARD_SIZES = { wasm: [1, 8, 32, 64, 128, 256], reference: [32] } as const satisfies Record<
  EngineName,
  readonly number[]
>;
/** Work of one engine in one round. */
const IMAGES = { wasm: 4_096, reference: 128 } as const satisfies Record<EngineName, number>;
const QUICK_IMAGES = { wasm: 512, reference: 32 } as const satisfies Record<EngineName, number>;

/** Forward and backward passes, by shard size, on one core. */
export async function engineSuite(bench: Bench): Promise<SuiteReport> {
  const measurements: Measurement[] = [];
  for (const name of ["wasm", "reference"] as const) {
    const images = amountOf<number>(bench, IMAGES[name], QUICK_IMAGES[name]);
    for (const shardSize of SHARD_SIZES[name]) {
      bench.say(`engine ${name}, shards of ${shardSize}`);
      const engine = await createEngine(name);
      engine.load(initialState(1).subarray(0, PARAMETER_COUNT));
      const labels: Labels[] = [{ engine: name, shard: shardSize }];
      const candidates = [gradientsOf(engine, shardOf(bench.dataset, shardSize), images)];
      // Against the reference, which is slow on purpose, a comparison would only waste time.
      for (const peer of name === "wasm" ? bench.peers : []) {
        const candidate = peer.gradients(shardSize);
        if (candidate === undefined) continue;
        labels.push({ engine: peer.name, shard: shardSize });
        candidates.push(candidate);
      }
      measurements.push(...measurementsOf(labels, await takeTurns(candidates, roundsOf(bench)), 0));
      await engine.dispose();
    }
  }
  const title = "forward and backward pass on one core";
  const compared = bench.peers.length > 0 ? { baseline: "wasm" } : {};
  return { suite: "engine", title, unit: "images/s", ...compared, notes: [], measurements };
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
