/**
 * The trained network in a browser: the engine, the preparation of pictures and the kernels that `lockstep predict` uses,
 * so that the same picture gets the same numbers.
 *
 *     const network = await openNetwork({ kernels: "lenet5.wasm", weights: "weights.bin" });
 *     const { probabilities } = await network.recognise(context.getImageData(0, 0, width, height));
 */

import { Classifier } from "../../predict/classifier.ts";
import { greyOfRgba } from "../../predict/grey-image.ts";
import { type Blank, prepareImage } from "../../predict/prepare-image.ts";
import { LockstepError } from "../../shared/errors.ts";
import { instantiateModule } from "../../shared/kernel-instance.ts";
import { STATE_COUNT } from "../../shared/model/lenet5.ts";
import type { Lenet5Kernels } from "../../worker/engines/wasm/kernel-exports.ts";
import { WasmEngine } from "../../worker/engines/wasm/wasm-engine.ts";
import { fetchBytes } from "./fetch-bytes.ts";

/** Where the parts of a network are: paths as the page sees them, or whole addresses. */
export interface NetworkParts {
  /** `lenet5.wasm` of the build. */
  readonly kernels: string;
  /** A state vector, parameters and then running statistics, as little-endian float32 values. */
  readonly weights: string;
}

/** What the network makes of a picture. */
export interface Recognition {
  /** What it was shown: [28, 28] bytes, 0 for background. */
  readonly prepared: Uint8Array;
  /** Set where nothing, or hardly anything, is on the picture: the probabilities then mean nothing. */
  readonly blank?: Blank;
  /** Of each class, [10]; they add up to 1. */
  readonly probabilities: Float64Array;
  /** Of a picture; an image of a data set is not prepared. */
  readonly preparationMs?: number;
  readonly computationMs: number;
}

/** A picture as a canvas gives it: [height, width, 4] bytes. */
export type Picture = Pick<ImageData, "width" | "height" | "data">;

export class Network {
  readonly #classifier: Classifier;

  constructor(classifier: Classifier) {
    this.#classifier = classifier;
  }

  /** A picture of any size, dark on light or light on dark; what is transparent is white. */
  async recognise({ width, height, data }: Picture): Promise<Recognition> {
    const start = performance.now();
    const rgba = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const { pixels, blank } = prepareImage(greyOfRgba(rgba, width, height), { invert: "auto", fit: "auto" });
    const preparationMs = performance.now() - start;
    const found = await this.recogniseStored(pixels);
    return { ...found, preparationMs, ...(blank === undefined ? {} : { blank }) };
  }

  /** An image as data sets have them, [28, 28] bytes with 0 for background: it is taken as it is. */
  async recogniseStored(prepared: Uint8Array): Promise<Recognition> {
    const start = performance.now();
    const [probabilities] = await this.#classifier.classify([prepared]);
    if (probabilities === undefined) throw new LockstepError("failed", "the engine gave no answer for the image");
    return { prepared, probabilities, computationMs: performance.now() - start };
  }
}

/**
 * Fetches a network.
 *
 * @throws LockstepError when a part cannot be had, or is not what it should be
 */
export async function openNetwork({ kernels, weights }: NetworkParts): Promise<Network> {
  const [code, values] = await Promise.all([fetchBytes(kernels), fetchBytes(weights)]);
  if (values.byteLength !== STATE_COUNT * 4) {
    const message = `${weights} has ${values.byteLength} bytes; expected the ${STATE_COUNT * 4} of a state vector`;
    throw new LockstepError("refused", message);
  }
  const module = await WebAssembly.compile(code);
  const engine = new WasmEngine(instantiateModule<Lenet5Kernels>(module));
  // Every browser's numbers are little-endian, as those of WebAssembly.
  return new Network(new Classifier(engine, new Float32Array(values)));
}
