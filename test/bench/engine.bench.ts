import type { Engine, EngineName, ShardInput } from "../../src/worker/engines/engine.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { makeCase } from "../golden/golden.ts";
import { type PytorchPeer, startPytorchPeer } from "./pytorch-peer.ts";

const ROUNDS = 9;
/** Work of one engine in one round. */
const IMAGES_PER_ROUND = { wasm: 4096, reference: 128 } as const satisfies Record<EngineName, number>;
const SIZES: readonly (readonly [EngineName, number])[] = [
  ["wasm", 1],
  ["wasm", 8],
  ["wasm", 32],
  ["wasm", 64],
  ["wasm", 128],
  ["wasm", 256],
  ["reference", 32],
];

export interface EngineRate {
  readonly engine: EngineName;
  readonly shardSize: number;
  /** Forward and backward, one core, median of the rounds. */
  readonly imagesPerSecond: number;
  /** PyTorch's rate at the same batch size, and ours over theirs (median of the rounds' ratios). */
  readonly pytorch?: { readonly imagesPerSecond: number; readonly ratio: number };
}

/**
 * Images per second of each engine by shard size, and of PyTorch on one thread where it is installed. The two take
 * turns, so that a noisy machine disturbs both alike: trust the ratios more than the rates.
 */
export async function benchEngine(): Promise<EngineRate[]> {
  const peer = await startPytorchPeer();
  const rates: EngineRate[] = [];
  for (const [name, shardSize] of SIZES) {
    const engine = await createEngine(name);
    const { parameters, shard } = makeCase(1, shardSize);
    engine.load(parameters);
    // Against the reference, which is slow on purpose, a comparison would only waste time.
    rates.push(await measure(engine, shard, name === "wasm" ? peer : undefined));
    await engine.dispose();
  }
  peer?.stop();
  printTable(rates, peer?.version);
  return rates;
}

async function measure(engine: Engine, shard: ShardInput, peer: PytorchPeer | undefined): Promise<EngineRate> {
  const shardSize = shard.labels.length;
  const steps = Math.ceil(IMAGES_PER_ROUND[engine.name] / shardSize);
  const ours = async (): Promise<number> => {
    const start = performance.now();
    for (let step = 0; step < steps; step++) await engine.gradients(shard);
    return (steps * shardSize) / ((performance.now() - start) / 1000);
  };
  const theirs = async (from: PytorchPeer): Promise<number> => (steps * shardSize) / (await from.run(shardSize, steps));

  await ours(); // let the compiler finish
  if (peer !== undefined) await theirs(peer);
  const ourRates: number[] = [];
  const theirRates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ourRates.push(await ours());
    if (peer !== undefined) theirRates.push(await theirs(peer));
  }
  const rate = { engine: engine.name, shardSize, imagesPerSecond: median(ourRates) };
  if (peer === undefined) return rate;
  const ratio = median(ourRates.map((ourRate, round) => ourRate / theirRates[round]!));
  return { ...rate, pytorch: { imagesPerSecond: median(theirRates), ratio } };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function printTable(rates: readonly EngineRate[], pytorchVersion: string | undefined): void {
  const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
  console.log("Forward and backward pass on one core, images/s\n");
  console.log(`| engine | shard | img/s | PyTorch ${pytorchVersion ?? "(not found)"}, 1 thread | ratio |`);
  console.log("|---|---:|---:|---:|---:|");
  for (const { engine, shardSize, imagesPerSecond, pytorch } of rates) {
    const peer = pytorch === undefined ? "- | -" : `${whole(pytorch.imagesPerSecond)} | ${pytorch.ratio.toFixed(2)}`;
    console.log(`| ${engine} | ${shardSize} | ${whole(imagesPerSecond)} | ${peer} |`);
  }
}
