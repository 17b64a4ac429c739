import { expect, test } from "vitest";
import { Relay, type RelayEnd } from "../../src/relay/relay.ts";
import { systemClock } from "../../src/shared/clock.ts";
import type { TrainConfig } from "../../src/shared/config.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import { createEngine } from "../../src/worker/engines/select.ts";
import { Worker, type WorkerEnd } from "../../src/worker/worker.ts";
import { Fleet } from "../support/fleet.ts";
import { syntheticDataset } from "../support/synthetic-dataset.ts";

/** What the whole of a fleet with relays comes to, with the real engine. */

const dataset = syntheticDataset(330, 700);
/** Shards of which some batches have eleven, the last one six and a short one. */
const config: Partial<TrainConfig> = { epochs: 2, batchSize: 44, shardSize: 4, augment: true, clipNorm: 1_000 };

/** A worker below a relay. */
type Tree = "worker" | readonly Tree[];

function grow(above: MemoryNetwork, tree: Tree): Promise<(RelayEnd | WorkerEnd)[]> {
  return tree === "worker" ? work(above) : relay(above, tree);
}

async function relay(above: MemoryNetwork, members: readonly Tree[]): Promise<(RelayEnd | WorkerEnd)[]> {
  const below = new MemoryNetwork();
  const end = new Relay({
    ...{ above: above.connect(), below: below.listen(), address: "memory:", clock: systemClock },
    ...{ coordinatorTimeoutMs: 20_000, joinTimeoutMs: 20_000, log: () => {} },
  }).run();
  return (await Promise.all([end.then((each) => [each]), ...members.map((each) => grow(below, each))])).flat();
}

async function work(above: MemoryNetwork): Promise<WorkerEnd[]> {
  const worker = new Worker({
    ...{ transport: above.connect(), address: "memory:", engine: await createEngine("wasm"), dataset },
    ...{ clock: systemClock, coordinatorTimeoutMs: 20_000, say: () => {} },
  });
  return [await worker.run()];
}

/** @param workers that the coordinator has itself */
async function train(workers: number, relays: readonly Tree[] = []) {
  const network = new MemoryNetwork();
  const ends = relays.map((tree) => grow(network, tree));
  const connect = () => network.connect();
  const { result } = await new Fleet({ config, dataset, workers, coordinator: network.listen(), connect }).run();
  for (const { code, text } of (await Promise.all(ends)).flat()) expect([code, text]).toEqual([0, "the run is done"]);
  const { weightsSha256, testErrors, trainLoss, workersLost, samplesLost, samplesRepeated } = result;
  return { weightsSha256, testErrors, trainLoss, workersLost, samplesLost, samplesRepeated };
}

test("the same weights come of one worker, of a star, and of any tree of relays", async () => {
  const alone = await train(1);
  expect(alone).toMatchObject({ workersLost: 0, samplesLost: 0, samplesRepeated: 0 });
  expect(await train(4)).toEqual(alone);
  expect(await train(0, [["worker", "worker", "worker"]])).toEqual(alone);
  expect(
    await train(1, [
      ["worker", "worker"],
      [["worker", "worker"], "worker"],
    ]),
  ).toEqual(alone);
  expect(await train(0, [[[["worker"]]]])).toEqual(alone);
}, 60_000);
