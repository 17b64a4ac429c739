/** What a TensorFlow with CUDA needs of a machine, by its version. Pure. */

export interface CudaNeeds {
  /** The release of CUDA that it is made for. */
  readonly cuda: 11 | 12;
  readonly cudnn: 8 | 9;
  /** Oldest driver that runs this release of CUDA. */
  readonly oldestDriver: string;
  /** GPUs of a later generation have to compile all kernels when they are first used: major compute capability. */
  readonly newestGeneration: number;
  /** Libraries without which it computes on the CPU, as the dynamic linker knows them. */
  readonly libraries: readonly string[];
}

/**
 * Releases of TensorFlow and what they are built with: https://www.tensorflow.org/install/source#gpu. Those with CUDA 11
 * have machine code up to compute capability 8, those with CUDA 12 up to 9 (`TF_CUDA_COMPUTE_CAPABILITIES` in .bazelrc).
 */
const RELEASES = [
  { since: "2.18", cuda: 12, cudnn: 9 },
  { since: "2.15", cuda: 12, cudnn: 8 },
  { since: "0", cuda: 11, cudnn: 8 },
] as const;

/** https://docs.nvidia.com/deploy/cuda-compatibility: minor version compatibility. */
const OLDEST_DRIVERS = { 11: "450.80.02", 12: "525.60.13" } as const;

const NEWEST_GENERATIONS = { 11: 8, 12: 9 } as const;

/**
 * What TensorFlow tries to load before it uses a GPU (`TryDlopenCUDALibraries`), and nvJitLink, without which cuSPARSE and
 * cuSOLVER of CUDA 12 do not load. NCCL is for several GPUs in one process, which lockstep does not use.
 */
const LIBRARIES = {
  11: [
    "cudart.so.11.0",
    "cublas.so.11",
    "cublasLt.so.11",
    "cufft.so.10",
    "curand.so.10",
    "cusolver.so.11",
    "cusparse.so.11",
  ],
  12: [
    "cudart.so.12",
    "cublas.so.12",
    "cublasLt.so.12",
    "cufft.so.11",
    "cusolver.so.11",
    "cusparse.so.12",
    "nvJitLink.so.12",
  ],
} as const;

/** The driver's own library. */
export const DRIVER_LIBRARY = "libcuda.so.1";

/** @param version of TensorFlow, "2.18.0"; undefined is taken for the newest */
export function cudaNeeds(version: string | undefined): CudaNeeds {
  const release =
    RELEASES.find(({ since }) => version === undefined || compareVersions(version, since) >= 0) ?? RELEASES[0];
  const { cuda, cudnn } = release;
  return {
    ...{ cuda, cudnn },
    oldestDriver: OLDEST_DRIVERS[cuda],
    newestGeneration: NEWEST_GENERATIONS[cuda],
    libraries: [...LIBRARIES[cuda].map((name) => `lib${name}`), `libcudnn.so.${cudnn}`],
  };
}

/** Negative when `a` is the older of two versions like "550.54.15". */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < Math.max(left?.length ?? 0, right?.length ?? 0); index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
