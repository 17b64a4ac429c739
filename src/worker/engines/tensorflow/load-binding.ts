import { createRequire } from "node:module";
import util from "node:util";
import { LockstepError, messageOf } from "../../../shared/errors.ts";
import type { TensorFlow } from "./node-backend.ts";

const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const;

const MEND = "run npm run setup:gpu in lockstep's folder";

/**
 * Loads TensorFlow: tfjs-node-gpu, or tfjs-node where only that works.
 *
 * @param load for tests
 * @throws LockstepError ("usage") when neither can be loaded, with what is wrong with the first and what would help
 */
export function loadTensorFlow(load: (name: string) => unknown = createRequire(import.meta.url)): TensorFlow {
  restoreRemovedUtilities();
  const problems: string[] = [];
  for (const name of PACKAGES) {
    try {
      return load(name) as TensorFlow;
    } catch (thrown) {
      const problem = describe(name, thrown);
      if (problem !== undefined) problems.push(problem);
    }
  }
  const found = problems.length === 0 ? `neither ${PACKAGES.join(" nor ")} is installed` : problems.join("; ");
  throw new LockstepError("usage", `the tensorflow engine cannot be loaded: ${found}; ${MEND}`);
}

/** @returns undefined when the package is simply not there */
function describe(name: string, thrown: unknown): string | undefined {
  const message = messageOf(thrown);
  const code = (thrown as { readonly code?: unknown }).code;
  if (code === "MODULE_NOT_FOUND" && message.includes(`'${name}'`)) return undefined;
  if (/native addon module \(tfjs_binding\.node\) can not/.test(message)) {
    return `${name} is installed without its binding to TensorFlow`;
  }
  return `${name} does not load (${message.split("\n")[0]})`;
}

/** tfjs-node calls two functions of node:util that Node.js 23 has removed. */
function restoreRemovedUtilities(): void {
  const utilities = util as unknown as Record<string, unknown>;
  utilities.isNullOrUndefined ??= (value: unknown): boolean => value === null || value === undefined;
  utilities.isArray ??= Array.isArray;
}
