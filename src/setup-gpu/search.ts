/** Looks for a libtensorflow where one usually is. */

import { LockstepError } from "../shared/errors.ts";
import { cachedFolders } from "./cache.ts";
import { findIn, type Libtensorflow } from "./libtensorflow.ts";
import { findPython, sitePackages } from "./python.ts";

/** All that are found, the best first: with CUDA where there is a GPU for it, then the newest. */
export async function search(
  cacheFolder: string,
  hasNvidiaGpu: boolean,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Libtensorflow[]> {
  const { TF_LIB } = environment;
  if (TF_LIB !== undefined && TF_LIB !== "") {
    const named = findIn(TF_LIB);
    // What is named wins over what is found.
    if (named !== undefined) return [named];
    throw new LockstepError(
      "failed",
      `there is no libtensorflow in ${TF_LIB}, which TF_LIB names: correct or unset it`,
    );
  }
  const python = await findPython(environment);
  const folders = [
    ...(python === undefined ? [] : await sitePackages(python)),
    ...cachedFolders(cacheFolder),
    "/usr/local",
  ];
  const found = folders.map(readableIn).filter((each) => each !== undefined);
  return bestFirst(found, hasNvidiaGpu);
}

/** A damaged one is none: there may be another. */
function readableIn(folder: string): Libtensorflow | undefined {
  try {
    return findIn(folder);
  } catch (error) {
    if (error instanceof LockstepError) return undefined;
    throw error;
  }
}

/** What cannot be compared keeps its order. */
export function bestFirst(found: readonly Libtensorflow[], hasNvidiaGpu: boolean): Libtensorflow[] {
  const suits = ({ hasCuda }: Libtensorflow): number => Number(hasCuda === hasNvidiaGpu);
  return [...found].sort((a, b) => suits(b) - suits(a) || compareVersions(b.version, a.version));
}

/** Negative when `a` is the older one; an unknown version counts as the oldest. */
function compareVersions(a: string | undefined, b: string | undefined): number {
  const parts = (version: string | undefined): number[] => (version ?? "0").split(".").map(Number);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
