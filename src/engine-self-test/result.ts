/** What a self-test of an engine found, and what to make of a process that was to say it. */

import { ENGINE_NAMES } from "../worker/engines/select.ts";
import type { EngineName } from "../worker/engines/engine.ts";
import { type CommandEnd, lastLines } from "../workshop/run-command.ts";

export interface SelfTestResult {
  readonly ok: boolean;
  readonly engine: EngineName;
  /** What computed: "NVIDIA H100 80GB HBM3", "cpu (AMD EPYC 7B13)". */
  readonly device?: string;
  /** "TensorFlow 2.18.0" */
  readonly runtime?: string;
  /** The first gradient, with all that is loaded and compiled for it. */
  readonly firstMilliseconds?: number;
  /** The fastest of the later ones. */
  readonly milliseconds?: number;
  /** From the reference engine's gradient, relative to the largest value of the tensor in which it is largest. */
  readonly largestDifference?: number;
  /** What is wrong, as a sentence without its full stop, when it is not ok. */
  readonly problem?: string;
}

/** Judges the process that ran the test by how it ended and what it printed. */
export function resultOfProcess(engine: EngineName, end: CommandEnd, timeoutMs: number): SelfTestResult {
  const failed = (problem: string): SelfTestResult => ({ ok: false, engine, problem });
  const said = lastLines(end.stderr, 3);
  const saying = said === "" ? "" : `; it said: ${said}`;
  if (end.timedOut) {
    return failed(
      `no result within ${timeoutMs / 1000} s; a GPU that is newer than its libraries compiles for up to half an hour at first: try --self-test-timeout 1800${saying}`,
    );
  }
  if (end.signal !== null) return failed(`its process crashed (${end.signal})${saying}`);
  const result = parseResult(engine, end.stdout);
  if (result === undefined) return failed(`its process ended with exit code ${end.code} and without a result${saying}`);
  if (result.ok && end.code !== 0)
    return failed(`its process ended with exit code ${end.code} after the test${saying}`);
  return result;
}

/** The last line that is a result of that engine; native libraries print among it. */
function parseResult(engine: EngineName, stdout: string): SelfTestResult | undefined {
  for (const line of stdout.split("\n").toReversed()) {
    if (!line.startsWith("{")) continue;
    try {
      const value = JSON.parse(line) as Partial<SelfTestResult>;
      if (value.engine === engine && typeof value.ok === "boolean") return value as SelfTestResult;
    } catch {
      // Something else that begins with a brace.
    }
  }
  return undefined;
}

/** One line for a person. */
export function describeSelfTest(result: SelfTestResult): string {
  const { engine, device, runtime, milliseconds, firstMilliseconds, largestDifference } = result;
  const where = [device, runtime].filter((part) => part !== undefined && part !== "").join(", ");
  if (!result.ok) {
    return `The ${engine} engine does not work${where === "" ? "" : ` (${where})`}: ${result.problem ?? "for no known reason"}`;
  }
  return (
    `The ${engine} engine works (${where}): a gradient of ${SELF_TEST_IMAGES} images takes ${milliseconds?.toFixed(1)} ms, ` +
    `the first one ${firstMilliseconds?.toFixed(0)} ms, and differs from the reference engine's by ${largestDifference?.toExponential(0)}`
  );
}

/** Size of the shard that is computed. */
export const SELF_TEST_IMAGES = 32;

export function isEngineName(name: string | undefined): name is EngineName {
  return ENGINE_NAMES.some((each) => each === name);
}
