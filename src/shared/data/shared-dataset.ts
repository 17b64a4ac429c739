import type { Dataset } from "./dataset.ts";
import type { Split } from "./split.ts";

/** A copy of a data set that threads can share. */
export function inSharedMemory(dataset: Dataset): Dataset {
  return { ...dataset, train: shareSplit(dataset.train), test: shareSplit(dataset.test) };
}

function shareSplit({ count, pixels, labels }: Split): Split {
  return { count, pixels: share(pixels), labels: share(labels) };
}

function share(bytes: Uint8Array): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}
