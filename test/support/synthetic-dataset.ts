import type { Dataset } from "../../src/shared/data/dataset.ts";
import type { Split } from "../../src/shared/data/split.ts";
import { uniformFrom } from "./floats.ts";

/** Noise with labels, in the form of MNIST: as good as real data where only the arithmetic counts. */
export function syntheticDataset(trainCount: number, testCount: number, seed = 1): Dataset {
  return {
    name: "noise",
    train: split(trainCount, seed),
    test: split(testCount, seed + 1),
    digest: seed.toString(16).padStart(64, "0"),
  };
}

function split(count: number, seed: number): Split {
  const uniform = uniformFrom(seed);
  return {
    count,
    pixels: Uint8Array.from({ length: count * 28 * 28 }, () => uniform() * 256),
    labels: Uint8Array.from({ length: count }, () => uniform() * 10),
  };
}
