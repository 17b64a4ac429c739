/** Which files of an archive a libtensorflow is made of. A wheel has ten thousand others. */

/** Not the links without a version, which lead to other links: node-tar refuses to follow such chains. */
const LIBRARY = /(^|\/)libtensorflow(_cc|_framework)?\.so(\.\d+)+$/;
/** TensorFlow's C headers and the few that they include, wherever a version has them. */
const HEADER = /(^|\/)include\/(.*\/)?(tensorflow\/c\/.*|tsl\/c\/[^/]*|platform\/ctstring(_internal)?)\.h$/;
/** CUDA and cuDNN out of the packages of NVIDIA; ptxas and libdevice are for kernels compiled on the spot. */
const CUDA = /^nvidia\/([^/]+\/lib\/[^/]+\.so[^/]*|cuda_nvcc\/(bin\/ptxas|nvvm\/.+))$/;
/** Its name tells the version. */
const METADATA = /^tensorflow[^/]*\.dist-info\/METADATA$/;

/** @param path within the archive, with slashes */
export function isWanted(path: string): boolean {
  const plain = path.replace(/^(\.\/)+/, "");
  if (plain.startsWith("/") || plain.split("/").includes("..")) return false;
  return [LIBRARY, HEADER, CUDA, METADATA].some((pattern) => pattern.test(plain));
}

/** What of a folder's files make up a libtensorflow: a wheel of TensorFlow, and those of NVIDIA beside it. */
export function wantedWheels(fileNames: readonly string[]): string[] {
  return fileNames.filter((name) => /^(tensorflow(_cpu|_intel)?-|nvidia_).*\.whl$/.test(name)).sort();
}

/** What an archive is called in the cache: "tensorflow_cpu-2.18.0" for its wheel. */
export function archiveStem(fileName: string): string {
  const wheel = /^([^-]+-[^-]+)-.*\.whl$/.exec(fileName)?.[1];
  return wheel ?? fileName.replace(/(\.tar)?\.[a-z]+$/, "");
}
