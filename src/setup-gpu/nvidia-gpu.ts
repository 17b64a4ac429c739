import { existsSync } from "node:fs";
import { discoverGpus } from "../worker/gpus/discover-gpus.ts";

/** What the driver makes on Linux: there also where nvidia-smi is not, as in some containers. */
const DEVICE = "/dev/nvidiactl";

/** Whether there is an NVIDIA GPU with a driver, and the environment does not hide it. */
export async function hasNvidiaGpu(environment: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const { gpus, reason } = await discoverGpus(environment);
  if (gpus.length > 0) return true;
  const { CUDA_VISIBLE_DEVICES: visible } = environment;
  const isHidden = visible !== undefined && /^(|-1|none|NoDevFiles)$/.test(visible.trim());
  return reason === "nvidia-smi is not installed" && !isHidden && existsSync(DEVICE);
}
