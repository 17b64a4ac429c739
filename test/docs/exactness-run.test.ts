import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { type Dataset, loadDataset } from "../../src/shared/data/dataset.ts";
import { MemoryNetwork } from "../../src/shared/transport/memory.ts";
import { Fleet, type FleetOptions } from "../support/fleet.ts";

/** The hash that docs/EXACTNESS.md shows is that of the run which it describes. */

const PAGE = readFileSync(new URL("../../docs/EXACTNESS.md", import.meta.url), "utf8");
const shown = [...PAGE.matchAll(/^(?:thread|process) \d "weightsSha256":"(\w+)"$/gm)].map(([, hash]) => hash);
const setting = (name: string): number => Number(new RegExp(`LOCKSTEP_${name}=(\\d+)`).exec(PAGE)?.[1]);
const CONFIG = {
  epochs: setting("EPOCHS"),
  limitTrain: setting("LIMIT_TRAIN"),
  batchSize: setting("BATCH_SIZE"),
};

let dataset: Dataset;

beforeAll(async () => {
  const mnist = await loadDataset();
  // The test images have no part in the weights: a few are enough.
  const count = 500;
  const test = {
    count,
    pixels: mnist.test.pixels.subarray(0, count * 784),
    labels: mnist.test.labels.subarray(0, count),
  };
  dataset = { ...mnist, test };
});

function run(options: Pick<FleetOptions, "workers" | "onEvent">): ReturnType<Fleet["run"]> {
  const network = new MemoryNetwork();
  const connect = (): ReturnType<MemoryNetwork["connect"]> => network.connect();
  return new Fleet({ config: CONFIG, dataset, coordinator: network.listen(), connect, ...options }).run();
}

test("the page shows one hash six times, and wherever else it names these weights", () => {
  expect(shown).toHaveLength(6);
  expect(new Set(shown).size).toBe(1);
  const begins = [...PAGE.matchAll(/^Weights (\w{16}) /gm)].map(([, begin]) => begin);
  expect(begins).toEqual([shown[0]?.slice(0, 16)]);
  const verified = [...PAGE.matchAll(/ weights (\w{64})$/gm)].map(([, hash]) => hash);
  expect(verified).toEqual([shown[0], shown[0]]);
});

test("a run with one worker has it", async () => {
  const { result } = await run({ workers: 1 });
  expect(result.weightsSha256).toBe(shown[0]);
});

test("a run with three workers, of which one is lost in the middle, has it", async () => {
  let crash: Promise<void> | undefined;
  const { result } = await run({
    workers: 3,
    onEvent: (event, fleet) => {
      if (event.type === "step" && event.step === 5) crash = fleet.crashFirst();
    },
  });
  await crash;
  expect(result).toMatchObject({ weightsSha256: shown[0], workersLost: 1 });
});
