import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchConfig } from "../shared/config.ts";
import { BENCH_SUITES } from "../shared/option-tables/runs.ts";
import { loadDataset } from "../shared/data/dataset.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { TextOutput } from "../shared/text-output.ts";
import type { Bench, Peer } from "./bench.ts";
import { describeMachine, machineSentence } from "./machine.ts";
import { reportJson, type SuiteReport } from "./report.ts";
import { SUITES } from "./suites.ts";
import { reportMarkdown } from "./table.ts";
import { inWorkshop, type Workshop } from "../workshop/workshop.ts";

/** What a program that builds on the bench adds to it. */
export interface BenchAdditions {
  /** Starts other programs to compare with. They are ended with the bench. */
  readonly startPeers?: (surroundings: Pick<Bench, "children" | "folder" | "quick">) => Promise<readonly Peer[]>;
  /** What all reports together come to. */
  readonly conclude?: (reports: readonly SuiteReport[]) => Conclusion;
}

export interface Conclusion {
  readonly markdown: string;
  /** Fields that are added to the JSON object. */
  readonly json: Readonly<Record<string, unknown>>;
}

const ROUNDS = 5;

/**
 * Runs the suites that `config` asks for and prints each one's table when it is done.
 * @returns the exit code
 */
export function runBench(config: BenchConfig, additions: BenchAdditions = {}): Promise<number> {
  return inWorkshop((workshop) => measure(config, additions, workshop).then(() => 0));
}

async function measure(
  config: BenchConfig,
  { startPeers, conclude }: BenchAdditions,
  { children, folder }: Workshop,
): Promise<void> {
  const tables = new TextOutput(config.json ? process.stderr : process.stdout);
  const progress = new TextOutput(process.stderr);
  const machine = describeMachine(new Date());
  const { quick, soakSteps, data, only, engines } = config;
  const rounds = config.rounds ?? (quick ? 1 : ROUNDS);
  const paper = new Paper(config, { machine, quick, rounds });
  const show = (markdown: string): void => {
    tables.line(`${markdown}\n`);
    paper.add(markdown);
  };
  show(machineSentence(machine));
  const bench: Bench = {
    ...{ rounds, quick, soakSteps, engines },
    ...{ dataset: await loadDataset(data), data },
    cli: fileURLToPath(new URL("../../dist/cli.js", import.meta.url)),
    ...{ children, folder },
    peers: (await startPeers?.({ children, folder, quick })) ?? [],
    say: (text) => progress.line(`lockstep bench: ${text}`),
  };
  const reports: SuiteReport[] = [];
  for (const suite of BENCH_SUITES) {
    if (only?.includes(suite) === false) continue;
    const report = await SUITES[suite](bench);
    reports.push(report);
    paper.figures["suites"] = reports.map(reportJson);
    show(reportMarkdown(report));
  }
  const conclusion = conclude?.(reports);
  if (conclusion !== undefined) {
    Object.assign(paper.figures, conclusion.json);
    show(conclusion.markdown);
  }
  if (config.json) new TextOutput(process.stdout).line(JSON.stringify(paper.figures));
}

/** The files that were asked for. They are written anew after each suite, so that an interrupted bench leaves some. */
class Paper {
  readonly figures: Record<string, unknown>;
  readonly #files: Pick<BenchConfig, "jsonFile" | "markdownFile">;
  readonly #parts: string[] = [];

  constructor(files: Pick<BenchConfig, "jsonFile" | "markdownFile">, figures: Record<string, unknown>) {
    this.#files = files;
    this.figures = { ...figures, suites: [] };
  }

  /** @throws LockstepError when a file cannot be written */
  add(markdown: string): void {
    this.#parts.push(markdown);
    const { jsonFile, markdownFile } = this.#files;
    if (jsonFile !== undefined) write(jsonFile, `${JSON.stringify(this.figures, undefined, 2)}\n`);
    if (markdownFile !== undefined) write(markdownFile, `${this.#parts.join("\n\n")}\n`);
  }
}

function write(path: string, content: string): void {
  try {
    writeFileSync(path, content);
  } catch (thrown) {
    throw new LockstepError("usage", `cannot write ${path}: ${messageOf(thrown)}; name another file`);
  }
}
