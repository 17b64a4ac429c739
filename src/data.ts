/**
 * `lockstep/data`: data sets and what becomes of them before the network sees them.
 *
 *     const { test } = await loadDataset();              // MNIST; or loadDataset("folder of IDX files")
 *     const source = new InputSource(test);
 *     const images = new Float32Array(32 * IMAGE_SIZE);  // 32 inputs of 32x32 normalised pixels
 *     const labels = new Uint8Array(32);
 *     source.gatherRange(0, 32, images, labels);
 */

export { DATA_FILES, loadDataset } from "./shared/data/dataset.ts";
export type { DataFile, Dataset } from "./shared/data/dataset.ts";
export type { Split } from "./shared/data/split.ts";
export { STORED_SIDE, STORED_SIZE, encodeImages, encodeLabels, parseImages, parseLabels } from "./shared/data/idx.ts";
export { NORMALISED, PIXEL_MEAN, PIXEL_STD, resize } from "./shared/data/preprocess.ts";
export { InputSource } from "./shared/data/input-source.ts";
export type { Augmentation } from "./shared/data/input-source.ts";
export { CLASS_COUNT, IMAGE_SIDE, IMAGE_SIZE } from "./shared/model/lenet5.ts";
export { LockstepError } from "./shared/errors.ts";
export type { ErrorCode } from "./shared/errors.ts";
