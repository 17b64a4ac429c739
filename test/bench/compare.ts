import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Measurement, measurementsOf, type SuiteReport } from "../../src/bench/report.ts";
import { takeTurns } from "../../src/bench/rounds.ts";
import { gradientsOf, shardOf } from "../../src/bench/suites/engine.ts";
import { trainingOf } from "../../src/bench/suites/training.ts";
import { reportMarkdown } from "../../src/bench/table.ts";
import { inWorkshop, type Workshop } from "../../src/workshop/workshop.ts";
import type { BenchConfig } from "../../src/shared/config.ts";
import { type Dataset, loadDataset } from "../../src/shared/data/dataset.ts";
import { LockstepError, messageOf } from "../../src/shared/errors.ts";
import { formatPlural } from "../../src/shared/format.ts";
import { initialState } from "../../src/shared/model/initialise.ts";
import { PARAMETER_COUNT } from "../../src/shared/model/lenet5.ts";

/** An earlier revision beside the working tree: both built, both measured in turns, so that only the code differs. */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ROUNDS = 5;

interface Build {
  readonly name: string;
  /** The folder of its package.json. */
  readonly root: string;
}

/** @returns the exit code */
export function compareRevision(revision: string, config: BenchConfig): Promise<number> {
  const commit = commitOf(revision);
  return inWorkshop(async (workshop) => {
    const builds = [
      { name: revision, root: await buildRevision(commit, workshop) },
      { name: "working tree", root: ROOT },
    ];
    const rounds = config.rounds ?? (config.quick ? 1 : ROUNDS);
    const wanted = (suite: "engine" | "training"): boolean => config.only?.includes(suite) !== false;
    if (wanted("engine")) {
      const dataset = await loadDataset(config.data);
      const measure = (shardSize: number): Promise<Measurement[]> => compareEngines(builds, dataset, shardSize, rounds);
      await report("engine", "forward and backward pass on one core", revision, [32, 1, 256], measure);
    }
    if (wanted("training")) {
      const measure = (batchSize: number): Promise<Measurement[]> =>
        compareTraining(builds, workshop, config, batchSize, rounds);
      const batchSizes = config.quick ? [256] : [64, 256, 1024];
      await report("training", "whole runs in steady state", revision, batchSizes, measure);
    }
    return 0;
  });
}

async function report(
  suite: SuiteReport["suite"],
  title: string,
  baseline: string,
  sizes: readonly number[],
  measure: (size: number) => Promise<Measurement[]>,
): Promise<void> {
  const measurements: Measurement[] = [];
  for (const size of sizes) measurements.push(...(await measure(size)));
  console.log(`${reportMarkdown({ suite, title, unit: "images/s", baseline, notes: [], measurements })}\n`);
}

/** Both engines in this process: each build's library entry has its own code and kernels. */
async function compareEngines(
  builds: readonly Build[],
  dataset: Dataset,
  shardSize: number,
  rounds: number,
): Promise<Measurement[]> {
  say(`engines, shards of ${shardSize}`);
  const engines = await Promise.all(
    builds.map(async ({ root }) => {
      const entry = pathToFileURL(join(root, "dist/engine.js")).href;
      const { createEngine } = (await import(entry)) as typeof import("../../src/engine.ts");
      const engine = await createEngine("wasm");
      engine.load(initialState(1).subarray(0, PARAMETER_COUNT));
      return engine;
    }),
  );
  const candidates = engines.map((engine) => gradientsOf(engine, shardOf(dataset, shardSize), 4_096));
  const figures = await takeTurns(candidates, { rounds, warmUps: 1 });
  for (const engine of engines) await engine.dispose();
  return measurementsOf(
    builds.map(({ name }) => ({ shard: shardSize, build: name })),
    figures,
    0,
  );
}

/** As users train: with workers kept apart as each build does by itself. */
async function compareTraining(
  builds: readonly Build[],
  { children, folder }: Workshop,
  { data, quick }: BenchConfig,
  batchSize: number,
  rounds: number,
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const workers of [1, 2]) {
    say(`training at batch ${batchSize} with ${formatPlural(workers, "worker")}`);
    const candidates = builds.map(({ root }) =>
      trainingOf(
        { cli: join(root, "dist/cli.js"), children, folder, data },
        { batchSize, workers, isolation: "auto", quick },
      ),
    );
    const labels = builds.map(({ name }) => ({ batch: batchSize, workers, build: name }));
    measurements.push(...measurementsOf(labels, await takeTurns(candidates, { rounds, warmUps: 0 }), 0));
  }
  return measurements;
}

function commitOf(revision: string): string {
  try {
    return git("rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`);
  } catch (thrown) {
    const message = `--compare ${revision}: git knows no such revision here; name a commit, branch or tag of this clone`;
    throw new LockstepError("usage", message, { cause: thrown });
  }
}

/** Checks a commit out into a folder of its own, removed at the end, and builds it. @returns the folder */
async function buildRevision(commit: string, { children, folder, defer }: Workshop): Promise<string> {
  const root = join(folder, "revision");
  say(`building ${commit.slice(0, 10)}`);
  defer(() => {
    try {
      git("worktree", "remove", "--force", root);
    } catch (thrown) {
      say(messageOf(thrown));
    }
  });
  git("worktree", "add", "--detach", "--quiet", root, commit);
  const run = async (...args: string[]): Promise<void> => {
    const child = children.start("npm", args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
    await once(child, "exit");
    if (child.exitCode !== 0) throw new LockstepError("failed", `npm ${args.join(" ")} failed in ${root}`);
  };
  const lock = (of: string): string => readFileSync(join(of, "package-lock.json"), "utf8");
  if (lock(root) === lock(ROOT)) {
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    await run("run", "build");
  } else {
    // Builds as well.
    await run("ci", "--no-audit", "--no-fund");
  }
  return root;
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}
