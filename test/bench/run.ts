import { Command } from "commander";
import type { Bench, Peer } from "../../src/bench/bench.ts";
import type { SuiteReport } from "../../src/bench/report.ts";
import type { Conclusion } from "../../src/bench/run-bench.ts";
import { loadConfig } from "../../src/shared/config-sources.ts";
import type { LockstepError } from "../../src/shared/errors.ts";
import { addOptions, parseArguments } from "../../src/shared/options.ts";
import { collectGarbageRarely } from "../../src/garbage-collection.ts";
import { startPytorch } from "./peers/pytorch.ts";
import { startTfjs } from "./peers/tfjs.ts";
import { compareRevision } from "./compare.ts";
import { evaluateTargets, targetsMarkdown } from "./targets.ts";

/**
 * `npm run bench`: what `lockstep bench` measures, beside other programs that train the same network, and against the
 * targets; or, with --compare, beside an earlier revision of lockstep.
 */

const program = addOptions(new Command("bench"), "bench")
  .option("--no-peers", "leave out the other programs")
  .option("--compare <REV>", "measure the engine and training of an earlier revision and of this one instead");
program.action(async (flags: Record<string, unknown>) => {
  const { compare, peers, ...options } = flags;
  const config = loadConfig("bench", options, process.env);
  if (typeof compare === "string") {
    process.exitCode = await compareRevision(compare, config);
    return;
  }
  process.exitCode = await (
    await builtBench()
  ).runBench(config, {
    ...(peers === false ? {} : { startPeers }),
    conclude,
  });
});

collectGarbageRarely();
try {
  await parseArguments(program, process.argv.slice(2));
} catch (thrown) {
  // Of the built code or of this, which are two classes of one name.
  const expected = thrown instanceof Error && thrown.name === "LockstepError" ? (thrown as LockstepError) : undefined;
  const bug = thrown instanceof Error ? thrown.stack : String(thrown);
  process.stderr.write(`bench: ${expected?.message ?? bug}\n`);
  process.exitCode = expected?.exitCode ?? 1;
}
process.stdout.write("", () => process.exit());

/** The code that users run, as `npm run build` made it: loaders for TypeScript slow some of it down. */
async function builtBench(): Promise<typeof import("../../src/bench/run-bench.ts")> {
  const built = new URL("../../dist/bench/run-bench.js", import.meta.url).href;
  return (await import(built)) as typeof import("../../src/bench/run-bench.ts");
}

async function startPeers(surroundings: Pick<Bench, "children" | "folder" | "quick">): Promise<Peer[]> {
  return [...(await startPytorch(surroundings)), await startTfjs(surroundings)];
}

function conclude(reports: readonly SuiteReport[]): Conclusion {
  const targets = evaluateTargets(reports);
  return { markdown: targetsMarkdown(targets), json: { targets } };
}
