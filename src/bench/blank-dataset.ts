import type { Dataset } from "../shared/data/dataset.ts";
import { STORED_SIZE } from "../shared/data/idx.ts";
import type { Split } from "../shared/data/split.ts";

/** A data set of black images, for runs in which nothing is computed. */
export function blankDataset(trainSamples: number): Dataset {
  return { name: "blank", train: blank(trainSamples), test: blank(1), digest: "0".repeat(64) };
}

function blank(count: number): Split {
  return { count, pixels: new Uint8Array(count * STORED_SIZE), labels: new Uint8Array(count) };
}
