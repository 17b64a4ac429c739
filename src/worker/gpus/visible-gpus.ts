import type { Gpu } from "./gpu.ts";
import type { PhysicalGpu } from "./nvidia-smi.ts";

/** What CUDA_VISIBLE_DEVICES leaves of a machine's GPUs, by CUDA's rules. Pure. */

/**
 * The GPUs that may be used, numbered anew in the variable's order. Its entries are indices or beginnings of UUIDs; the
 * first that names no GPU, or one a second time, ends the list.
 *
 * Indices are taken to be nvidia-smi's, as schedulers and container runtimes mean them. CUDA's own may differ where GPUs
 * of several kinds are in one machine, unless CUDA_DEVICE_ORDER is PCI_BUS_ID.
 *
 * @param variable the value of CUDA_VISIBLE_DEVICES; undefined where it is not set
 */
export function visibleGpus(gpus: readonly PhysicalGpu[], variable: string | undefined): readonly Gpu[] {
  // Of one that is cut into instances CUDA shows a part, and which one is not to be known from here.
  if (variable === undefined) return gpus.filter(({ isCut }) => !isCut).map((gpu, index) => gpuOf(gpu, index));
  const visible: Gpu[] = [];
  for (const entry of variable.split(",").map((each) => each.trim())) {
    const gpu = entry.startsWith("MIG-")
      ? instanceOf(gpus, entry, visible.length)
      : wholeOf(gpus, entry, visible.length);
    if (gpu === undefined || visible.some(({ uuid }) => uuid === gpu.uuid)) break;
    visible.push(gpu);
  }
  return visible;
}

function wholeOf(gpus: readonly PhysicalGpu[], entry: string, index: number): Gpu | undefined {
  const isMeant = (gpu: PhysicalGpu): boolean =>
    /^\d+$/.test(entry) ? gpu.index === Number(entry) : entry.startsWith("GPU-") && gpu.uuid.startsWith(entry);
  const [gpu, ...others] = gpus.filter(isMeant);
  return gpu === undefined || others.length > 0 ? undefined : gpuOf(gpu, index);
}

/**
 * An instance of a GPU. nvidia-smi's table does not list instances: the entry is passed on to CUDA as it is. Older drivers
 * write `MIG-GPU-<UUID of the whole>/<instance>/<part>`, newer ones a UUID that does not say of which GPU it is.
 */
function instanceOf(gpus: readonly PhysicalGpu[], uuid: string, index: number): Gpu | undefined {
  const cut = gpus.filter(({ isCut }) => isCut);
  const whole = cut.find((gpu) => uuid.startsWith(`MIG-${gpu.uuid}`)) ?? cut[0];
  if (whole === undefined) return undefined;
  const name = cut.every((gpu) => gpu.name === whole.name) ? `${whole.name} MIG` : "NVIDIA MIG";
  return { index, uuid, name, ...(whole.driver === undefined ? {} : { driver: whole.driver }) };
}

function gpuOf({ isCut: _isCut, ...gpu }: PhysicalGpu, index: number): Gpu {
  return { ...gpu, index };
}
