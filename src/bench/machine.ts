import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../version.ts";

/** What a figure was measured on: without it a figure says little. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMB: number;
  readonly system: string;
  readonly node: string;
  readonly lockstep: string;
  /** Of the clone that this runs in, with "-dirty" where it has changes; absent where it is no clone. */
  readonly revision?: string;
  /** UTC, ISO 8601. */
  readonly date: string;
}

export function describeMachine(now: Date): Machine {
  const revision = revisionOf(fileURLToPath(new URL("../../", import.meta.url)));
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryMB: Math.round(totalmem() / 1e6),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    lockstep: VERSION,
    ...(revision === undefined ? {} : { revision }),
    date: now.toISOString(),
  };
}

export function machineSentence({ cpu, cores, system, node, lockstep, revision, date }: Machine): string {
  const build = revision === undefined ? lockstep : `${lockstep} (${revision})`;
  return `lockstep ${build}, Node.js ${node}, ${cpu}, ${cores} cores, ${system}, ${date.slice(0, 10)}`;
}

/** An installed package has no `.git` of its own, and must not take that of the program that it is installed in. */
function revisionOf(root: string): string | undefined {
  if (!existsSync(join(root, ".git"))) return undefined;
  try {
    const args = ["describe", "--always", "--dirty", "--abbrev=10"];
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
