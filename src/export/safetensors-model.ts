import { encodeTensorFile, encodeValues } from "../shared/safetensors.ts";
import { namedTensors, type TrainedNetwork } from "./trained-network.ts";

/**
 * The weights alone, as the content of a safetensors file whose tensors a PyTorch module's `load_state_dict` takes.
 *
 * @param description the file's metadata
 */
export function safetensorsModel(
  network: TrainedNetwork,
  description: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  const tensors = namedTensors(network);
  // By convention `pt` says that names and layouts are PyTorch's; some loaders insist on it.
  const metadata = new Map([["format", "pt"], ...description]);
  return encodeTensorFile({ metadata, tensors, data: encodeValues(tensors.values()) });
}
