/** Which binding to TensorFlow is set up, and which libtensorflow it loads; nothing is loaded to find out. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { bindingFile } from "./compile.ts";
import { findIn, type Libtensorflow, openLibrary } from "./libtensorflow.ts";
import { packageFolder, TENSORFLOW_PACKAGE } from "./node-package.ts";
import { runCommand } from "../workshop/run-command.ts";
import { findLibraries, type Listing, parseLinkerCache, pathFolders, runpathFolders } from "./library-search.ts";

/** In the order in which the engine tries them. */
const PACKAGES = [TENSORFLOW_PACKAGE, "@tensorflow/tfjs-node"] as const;

export interface Binding {
  /** "@tensorflow/tfjs-node-gpu 4.22.0" */
  readonly packageName: string;
  /** Undefined on platforms whose libraries are not looked into. */
  readonly libtensorflow?: Libtensorflow;
  /** Where the linker looks for what libtensorflow loads, in its order. */
  readonly searched: readonly Listing[];
  /** Other folders in which CUDA often is, and where nobody looks. */
  readonly elsewhere: readonly Listing[];
}

/**
 * The binding that the tensorflow engine will load; undefined when none was made.
 *
 * @param root lockstep's folder
 * @throws LockstepError ("failed") when it cannot be loaded: damaged, or its libtensorflow is gone
 */
export async function findBinding(environment: NodeJS.ProcessEnv, root?: string): Promise<Binding | undefined> {
  const problems: string[] = [];
  for (const name of PACKAGES) {
    const folder = packageFolder(name, root);
    if (folder === undefined || !existsSync(bindingFile(folder))) continue;
    try {
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        readonly version: string;
      };
      return { packageName: `${name} ${version}`, ...(await lookInto(bindingFile(folder), environment)) };
    } catch (thrown) {
      problems.push(messageOf(thrown).replace(bindingFile(folder), `the binding of ${name}`));
    }
  }
  const [first] = problems;
  if (first !== undefined) throw new LockstepError("failed", first);
  return undefined;
}

async function lookInto(file: string, environment: NodeJS.ProcessEnv): Promise<Omit<Binding, "packageName">> {
  if (process.platform !== "linux" || process.arch !== "x64") return { searched: [], elsewhere: [] };
  const { needed, runpath } = openLibrary(file);
  const own = runpathFolders(runpath, dirname(file));
  const first = pathFolders(environment.LD_LIBRARY_PATH);
  const last = await linkerCache(environment);
  const api = needed.find((name) => /^libtensorflow(_cc)?\.so/.test(name)) ?? "libtensorflow.so.2";
  const [used] = findLibraries([api], [...listings([...first, ...own]), ...last]).found;
  if (used === undefined) {
    const looked = [...first, ...own].map((each) => resolve(each)).join(", ");
    throw new LockstepError(
      "failed",
      `${file} was compiled for a libtensorflow that is gone: there is no ${api} in ${looked}`,
    );
  }
  const libtensorflow = findIn(used.folder);
  const inner = (libtensorflow?.libraries ?? []).flatMap((name) =>
    runpathFolders(openLibrary(join(used.folder, name)).runpath, used.folder),
  );
  return {
    ...(libtensorflow === undefined ? {} : { libtensorflow }),
    searched: [...listings([...first, ...inner, ...own]), ...last],
    elsewhere: listings(usualCudaFolders(used.folder)),
  };
}

/** Where NVIDIA's packages for Python put its libraries beside TensorFlow, and where its installers do. */
function usualCudaFolders(libtensorflow: string): string[] {
  const packages = resolve(libtensorflow, "..", "nvidia");
  const installed = namesIn("/usr/local").filter((name) => /^cuda(-\d+(\.\d+)?)?$/.test(name));
  return [
    ...namesIn(packages).map((name) => join(packages, name, "lib")),
    ...installed.map((name) => join("/usr/local", name, "lib64")),
  ];
}

/** Often not in the PATH of people who are not the administrator. */
const LDCONFIG = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"];
const LDCONFIG_TIMEOUT_MS = 3_000;

/** The linker's cache, or its usual folders where it cannot be asked. */
async function linkerCache(environment: NodeJS.ProcessEnv): Promise<Listing[]> {
  for (const command of LDCONFIG) {
    const options = { environment, timeoutMs: LDCONFIG_TIMEOUT_MS };
    const end = await runCommand(command, ["-p"], options).catch(() => undefined);
    const cache = end?.code === 0 ? parseLinkerCache(end.stdout) : [];
    if (cache.length > 0) return cache;
  }
  return listings(["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]);
}

function listings(folders: readonly string[]): Listing[] {
  return folders.map((folder) => ({ folder: resolve(folder), names: namesIn(folder) }));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
