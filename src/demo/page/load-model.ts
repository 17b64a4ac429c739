import { parseImages } from "../../shared/data/idx.ts";
import { fetchBytes } from "./fetch-bytes.ts";
import type { Samples } from "./images-view.ts";
import type { ModelCard } from "./model-card.ts";
import { type Network, openNetwork } from "./network.ts";

export interface LoadedModel {
  readonly card: ModelCard;
  readonly network: Network;
  readonly samples: Samples;
}

/**
 * All that the server has for the page.
 *
 * @throws LockstepError when any of it cannot be had
 */
export async function loadModel(): Promise<LoadedModel> {
  const [cardBytes, network] = await Promise.all([
    fetchBytes("model.json"),
    openNetwork({ kernels: "lenet5.wasm", weights: "weights.bin" }),
  ]);
  const card = JSON.parse(new TextDecoder().decode(cardBytes)) as ModelCard;
  const labels = card.sampleLabels;
  const pixels =
    labels.length === 0
      ? new Uint8Array(0)
      : parseImages(new Uint8Array(await fetchBytes("samples.idx")), "samples.idx");
  return { card, network, samples: { pixels, labels } };
}
