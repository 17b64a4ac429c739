/** What `--download` fetches: which Python packages, with the sums by which their files are known. */

export const FLAVOURS = ["cpu", "cuda12"] as const;
export type Flavour = (typeof FLAVOURS)[number];

export interface Wheel {
  /** As pip is told: "tensorflow-cpu==2.18.0". */
  readonly requirement: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
}

const wheel = (requirement: string, sha256: string): Wheel => ({ requirement, sha256 });

/**
 * TensorFlow 2.18.0 for CPython 3.11 (its C library is the same for every version of Python), and beside the one with
 * CUDA what its extra "and-cuda" asks for. Files that end in manylinux2014_x86_64.whl.
 */
export const WHEELS: Readonly<Record<Flavour, readonly Wheel[]>> = {
  cpu: [wheel("tensorflow-cpu==2.18.0", "089e71746960ea581dca53401f84b3b99c8537313e337a9e5dbf97036a936f7e")],
  cuda12: [
    wheel("tensorflow==2.18.0", "70b8dd70fa3600bfce66ab529eebb804e1f9d7c863d2f71bc8fe9fc7a1ec3976"),
    wheel("nvidia-cublas-cu12==12.5.3.2", "ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b"),
    wheel("nvidia-cuda-cupti-cu12==12.5.82", "bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953"),
    wheel("nvidia-cuda-nvcc-cu12==12.5.82", "b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0"),
    wheel("nvidia-cuda-nvrtc-cu12==12.5.82", "3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd"),
    wheel("nvidia-cuda-runtime-cu12==12.5.82", "3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115"),
    wheel("nvidia-cudnn-cu12==9.3.0.75", "9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d"),
    wheel("nvidia-cufft-cu12==11.2.3.61", "9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8"),
    wheel("nvidia-curand-cu12==10.3.6.82", "2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536"),
    wheel("nvidia-cusolver-cu12==11.6.3.83", "93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b"),
    wheel("nvidia-cusparse-cu12==12.5.1.3", "016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752"),
    wheel("nvidia-nccl-cu12==2.21.5", "8579076d30a8c24988834445f8d633c697d42397e92ffc3f63fa26766d25e0a0"),
    wheel("nvidia-nvjitlink-cu12==12.5.82", "f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212"),
  ],
};

/** What Python is told, so that pip takes these files on any machine, whichever its own Python and system are. */
export function pipArguments(flavour: Flavour, folder: string): string[] {
  return [
    ..."-m pip download --no-deps --only-binary=:all: --disable-pip-version-check --no-input".split(" "),
    ..."--platform manylinux2014_x86_64 --python-version 311 --implementation cp --abi cp311".split(" "),
    ...["--dest", folder],
    ...WHEELS[flavour].map(({ requirement }) => requirement),
  ];
}

/** The start of a wheel's file name: "tensorflow_cpu-2.18.0-" for "tensorflow-cpu==2.18.0" (PEP 427). */
export function wheelPrefix(requirement: string): string {
  const [name = "", version = ""] = requirement.split("==");
  return `${name.replaceAll("-", "_")}-${version}-`;
}
