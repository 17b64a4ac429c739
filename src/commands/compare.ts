import { basename, resolve } from "node:path";
import { markdownTable } from "../bench/table.ts";
import { type Comparison, compareRuns } from "../compare/comparison.ts";
import type { ComparedRun, LeftOutRun } from "../compare/compared-run.ts";
import { comparePage } from "../compare/page.ts";
import { readComparedRun } from "../compare/read-run.ts";
import { runTable, seedTable } from "../compare/run-rows.ts";
import type { CompareConfig } from "../shared/config.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { replaceFile } from "../shared/whole-file.ts";

/** Where the command speaks; `process` is such a place. */
export interface CompareIo {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

/**
 * `lockstep compare`: a table of runs, what their seeds make of it, and a page of their curves. Runs that cannot be read
 * are named on stderr, and the others compared.
 *
 * @returns the exit code
 * @throws LockstepError `refused` when none of the folders holds a run; `failed` when the page cannot be written
 */
export async function compareCommand(
  { runDirs, by, html, json }: CompareConfig,
  io: CompareIo = process,
): Promise<number> {
  const [stdout, stderr] = [new TextOutput(io.stdout), new TextOutput(io.stderr)];
  const { runs, leftOut } = await readRuns(runDirs);
  if (runs.length === 0) {
    const problems = leftOut.map(({ runDir, problem }) => `${runDir} ${problem}`).join("\n");
    throw new LockstepError("refused", `${problems}\nname folders of runs, such as runs/*`);
  }
  const comparison = compareRuns(runs, leftOut, by);
  for (const warning of warningsOf(comparison)) stderr.line(`warning: ${warning}`);
  const human = json ? stderr : stdout;
  for (const table of [runTable(comparison), seedTable(comparison)]) {
    if (table !== undefined) human.line(`${markdownTable(table.columns, table.rows)}\n`);
  }
  if (html !== undefined) {
    await writePage(html, comparison);
    human.line(`Page ${html}`);
  }
  if (json) stdout.line(JSON.stringify(comparison));
  return 0;
}

async function readRuns(runDirs: readonly string[]): Promise<{ runs: ComparedRun[]; leftOut: LeftOutRun[] }> {
  // A folder that is named twice is compared once.
  const folders = [...new Map(runDirs.map((runDir) => [resolve(runDir), runDir])).values()];
  const names = folders.map((runDir) => basename(resolve(runDir)));
  const [runs, leftOut]: [ComparedRun[], LeftOutRun[]] = [[], []];
  for (const [i, runDir] of folders.entries()) {
    const name = names[i] ?? runDir;
    const found = await readComparedRun(runDir, names.filter((each) => each === name).length > 1 ? runDir : name);
    if (typeof found === "string") leftOut.push({ runDir, problem: found });
    else runs.push(found);
  }
  return { runs, leftOut };
}

function warningsOf({ runs, leftOut }: Comparison): string[] {
  return [
    ...leftOut.map(({ runDir, problem }) => `${runDir} ${problem}; it is left out`),
    ...runs.flatMap(({ name, ending }) => (ending.type === "failed" ? [`${name} failed: ${ending.message}`] : [])),
    ...runs.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`)),
  ];
}

async function writePage(path: string, comparison: Comparison): Promise<void> {
  try {
    await replaceFile(path, Buffer.from(comparePage(comparison)));
  } catch (error) {
    throw new LockstepError("failed", `cannot write the page ${path}: ${messageOf(error)}`, { cause: error });
  }
}
