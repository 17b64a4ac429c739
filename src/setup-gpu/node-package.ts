/** The npm packages of the GPU engines: where they are, and how one that is missing comes back. */

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LockstepError } from "../shared/errors.ts";
import { lastLines, runCommand } from "../workshop/run-command.ts";

/** Where lockstep's package.json is: two folders up, from src and from dist. */
const LOCKSTEP_FOLDER = fileURLToPath(new URL("../..", import.meta.url));

export const TENSORFLOW_PACKAGE = "@tensorflow/tfjs-node-gpu";
/** Packages of the webgpu engine; package.json names their versions as those of optional peers. */
export const WEBGPU_PACKAGES = ["webgpu", "@tensorflow/tfjs-backend-webgpu"] as const;

/** Folder of an installed package; undefined when it is not installed. */
export function packageFolder(name: string, root = LOCKSTEP_FOLDER): string | undefined {
  // Not require.resolve: a package need not let its package.json be resolved.
  const paths = createRequire(join(root, "package.json")).resolve.paths(name) ?? [];
  return paths.map((folder) => join(folder, name)).find((folder) => existsSync(join(folder, "package.json")));
}

/**
 * Arguments of npm that restore what the lock file names, and install `added` beside it without noting them anywhere.
 * Scripts do not run: the one of tfjs-node-gpu would download an old libtensorflow. Without --save-prod npm passes over
 * packages that package.json names as optional peers.
 *
 * @param added such as "webgpu@0.6.2"
 */
export function npmArguments(added: readonly string[], hasDevelopmentPackages: boolean): string[] {
  return [
    ..."install --no-save --save-prod --ignore-scripts --no-audit --no-fund".split(" "),
    ...(hasDevelopmentPackages ? [] : ["--omit=dev"]),
    ...added,
  ];
}

/**
 * Runs npm in lockstep's folder. Packages of the webgpu engine that are there stay: npm would remove what package.json
 * does not depend on.
 *
 * @throws LockstepError ("failed") when npm fails
 */
export async function installPackages(
  wanted: readonly string[],
  say: (line: string) => void,
  root = LOCKSTEP_FOLDER,
): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  const added = WEBGPU_PACKAGES.filter((name) => wanted.includes(name) || packageFolder(name, root) !== undefined).map(
    (name) => `${name}@${manifest.peerDependencies[name] ?? "latest"}`,
  );
  const args = npmArguments(added, packageFolder("typescript", root) !== undefined);
  say(`Installing ${wanted.join(" and ")}: npm ${args.join(" ")}`);
  // As a script of npm this runs under the npm that is to be used again.
  const npm = process.env["npm_execpath"];
  const isScript = npm !== undefined && /\.[cm]?js$/.test(npm);
  const [command, first] = isScript ? [process.execPath, [npm]] : ["npm", []];
  const { code, stderr } = await runCommand(command, [...first, ...args], { cwd: root });
  const missing = wanted.filter((name) => packageFolder(name, root) === undefined);
  if (code === 0 && missing.length === 0) return;
  const said =
    code === undefined ? "there is no npm" : `exit code ${code}${stderr === "" ? "" : `, ${lastLines(stderr)}`}`;
  throw new LockstepError(
    "failed",
    `npm could not install ${wanted.join(" and ")}: ${said}. Without internet, carry its folder from node_modules of a machine that has it: docs/GPU.md`,
  );
}

/** Folder with C headers of Node-API, from an npm package that lockstep depends on. */
export function nodeApiHeaders(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve("node-api-headers/package.json")), "include");
}
