/** Compiles the binding of @tensorflow/tfjs-node-gpu against a libtensorflow, and puts it in its place. */

import { existsSync, mkdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../shared/errors.ts";
import { writeHeaderShims } from "./header-shims.ts";
import { checkUsable, type Libtensorflow } from "./libtensorflow.ts";
import { nodeApiHeaders } from "./node-package.ts";
import { lastLines, runCommand } from "../workshop/run-command.ts";
import { inTemporaryFolder } from "./temporary-folder.ts";

/** Older ones lack operations and their headers differ; tfjs-node itself was made for 2.9. */
const OLDEST_VERSION = [2, 9] as const;
const COMPILE_TIMEOUT_MS = 600_000;
/** Loading a library of more than 1 GB from a slow disk takes a while. */
const LOAD_TIMEOUT_MS = 300_000;

/** Where the package looks for its binding, for Node.js with Node-API 8 or later. */
export function bindingFile(packageFolder: string): string {
  return join(packageFolder, "lib", "napi-v8", "tfjs_binding.node");
}

export interface Compilation {
  readonly library: Libtensorflow;
  readonly headers: string;
  /** Folder of the npm package. */
  readonly packageFolder: string;
  readonly compiler: string;
}

/** The compiler's arguments. @param shims folder of headers that are taken where no other is */
export function compilerArguments(
  { library, headers, packageFolder }: Compilation,
  nodeHeaders: string,
  shims: string,
  output: string,
): string[] {
  const { folder, libraries } = library;
  return [
    ..."-O2 -std=c++17 -shared -fPIC -DNAPI_VERSION=8".split(" "),
    ...["-I", nodeHeaders, "-I", headers, "-idirafter", shims],
    ...["tfjs_backend.cc", "tfjs_binding.cc"].map((name) => join(packageFolder, "binding", name)),
    ...["-L", folder, ...libraries.map((name) => `-l:${name}`)],
    // So that it is found without LD_LIBRARY_PATH. -Xlinker, since a comma in the path would split -Wl's arguments.
    ...["-Xlinker", "-rpath", "-Xlinker", folder],
    ...["-o", output],
  ];
}

/**
 * @returns TensorFlow's version, as the library itself says
 * @throws LockstepError ("failed"); what was in place before stays there then
 */
export async function compileBinding(compilation: Compilation): Promise<string> {
  const { library, packageFolder, compiler } = compilation;
  checkUsable(library, library.folder);
  const target = bindingFile(packageFolder);
  mkdirSync(dirname(target), { recursive: true });
  return inTemporaryFolder(target, async (folder) => {
    writeHeaderShims(compilation.headers, join(folder, "include"));
    const output = join(folder, basename(target));
    const args = compilerArguments(compilation, nodeApiHeaders(), join(folder, "include"), output);
    const { code, stderr } = await runCommand(compiler, args, { timeoutMs: COMPILE_TIMEOUT_MS });
    if (code === undefined) throw noCompiler(compiler);
    if (code !== 0) {
      const [first = stderr] = stderr.split("\n").filter((line) => /error|cannot find|undefined/.test(line));
      throw new LockstepError(
        "failed",
        `${compiler} could not compile the binding (exit code ${code}): ${first.trim()}; it ran: ${compiler} ${args.join(" ")}`,
      );
    }
    if (!existsSync(output)) throw new LockstepError("failed", `${compiler} made nothing: is it a C++ compiler?`);
    const version = await versionOfBinding(output);
    checkVersion(version);
    renameSync(output, target);
    return version;
  });
}

/** The first C++ compiler that runs. @param named on the command line @throws LockstepError when there is none */
export async function findCompiler(named: string | undefined, environment = process.env): Promise<string> {
  const { CXX } = environment;
  const candidates =
    named !== undefined ? [named] : [...(CXX === undefined || CXX === "" ? [] : [CXX]), "g++", "clang++"];
  for (const compiler of candidates) {
    // A folder, or a file that may not be run, is no compiler either.
    const { code } = await runCommand(compiler, ["--version"]).catch(() => ({ code: undefined }));
    if (code === 0) return compiler;
  }
  throw noCompiler(candidates.join(", "));
}

/**
 * Loads a binding in a process of its own, which may crash, and asks for TensorFlow's version.
 * @throws LockstepError ("failed") when it cannot be loaded
 */
async function versionOfBinding(file: string): Promise<string> {
  const script =
    "process.stdout.write('version=' + require(process.argv[1]).TF_Version + '\\n', () => process.exit());";
  const end = await runCommand(process.execPath, ["-e", script, file], { timeoutMs: LOAD_TIMEOUT_MS });
  const version = /^version=(\d+\.\d+\S*)$/m.exec(end.stdout)?.[1];
  if (version !== undefined && end.code === 0) return version;
  const reason = /^Error: (.*)$/m.exec(end.stderr)?.[1] ?? lastLines(end.stderr);
  const how = end.signal === null ? `exit code ${end.code}` : `ended by ${end.signal}`;
  throw new LockstepError("failed", `the binding does not load (${how}): ${reason}`);
}

/** @throws LockstepError ("failed") when TensorFlow is too old */
export function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1])) return;
  throw new LockstepError(
    "failed",
    `TensorFlow ${version} is too old: @tensorflow/tfjs-node-gpu needs ${OLDEST_VERSION.join(".")} or later; take 2.18, for example with --download`,
  );
}

function noCompiler(tried: string): LockstepError {
  return new LockstepError(
    "failed",
    `there is no C++ compiler (tried ${tried}): apt-get install g++ (Debian, Ubuntu) or dnf install gcc-c++ (Fedora), or name one with --compiler`,
  );
}
