/** What an exported model says about itself: texts by name, the same in every format. */

import { type Checkpoint, stateSha256 } from "../shared/checkpoint.ts";
import { STORED_SIDE } from "../shared/data/idx.ts";
import { PIXEL_MEAN, PIXEL_STD } from "../shared/data/preprocess.ts";
import { BATCH_NORM_EPSILON, CLASS_COUNT, IMAGE_SIDE } from "../shared/model/lenet5.ts";

export interface ExportChoices {
  /** Batch normalisation is part of the convolutions. */
  readonly isFolded: boolean;
  /** The model resizes and normalises images itself. */
  readonly preprocesses: boolean;
}

/** The order of an input's dimensions: PyTorch's and ONNX's, or TensorFlow.js'. */
export type ImageLayout = "channels-first" | "channels-last";

/** @param generator the program that wrote it, with its version */
export function describeModel(
  checkpoint: Checkpoint,
  { isFolded, preprocesses }: ExportChoices,
  layout: ImageLayout,
  generator: string,
): ReadonlyMap<string, string> {
  return new Map([
    ["generator", generator],
    ["model", "LeNet-5 with batch normalisation"],
    ["batchNorm", isFolded ? "folded into the convolutions" : `epsilon ${BATCH_NORM_EPSILON}`],
    ["input", inputOf(preprocesses, layout)],
    [
      "output",
      `float32 [n, ${CLASS_COUNT}], logits: the class is the place of the largest, softmax gives probabilities`,
    ],
    ["pixelMean", String(PIXEL_MEAN)],
    ["pixelStd", String(PIXEL_STD)],
    ["step", String(checkpoint.step)],
    ["epoch", String(checkpoint.epoch)],
    ["seed", String(checkpoint.seed)],
    ["dataDigest", checkpoint.dataDigest],
    ["weightsSha256", stateSha256(checkpoint.state)],
  ]);
}

/** The shape of an input, `n` for the number of images. */
export function inputShape(preprocesses: boolean, layout: ImageLayout): readonly [string, number, number, number] {
  const side = preprocesses ? STORED_SIDE : IMAGE_SIDE;
  return layout === "channels-first" ? ["n", 1, side, side] : ["n", side, side, 1];
}

function inputOf(preprocesses: boolean, layout: ImageLayout): string {
  const shape = `float32 [${inputShape(preprocesses, layout).join(", ")}]`;
  const pixels = `pixels from 0, the background, to 255 of images of ${STORED_SIDE}x${STORED_SIDE}`;
  if (preprocesses) return `${shape}, whole numbers: ${pixels}`;
  return (
    `${shape}: ${pixels}, resized to ${IMAGE_SIDE}x${IMAGE_SIDE} (bilinear, half-pixel centres, edges extended, rounded ` +
    `half up), then (pixel / 255 - ${PIXEL_MEAN}) / ${PIXEL_STD}`
  );
}
