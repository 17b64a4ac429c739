import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import { CLI } from "./cli.ts";

/** The real Slurm that `.ci/start-slurm` brings up: a controller and three nodes, all on this machine. */

const SCRIPT = fileURLToPath(new URL("../../deploy/slurm/lockstep.sbatch", import.meta.url));

/** A condition that has not come true by then never will. Slurm itself takes its time over a lost node. */
const DEADLINE_MS = 150_000;
const POLL_MS = 100;
/** A command of Slurm's that has no answer by then gets none. */
const ANSWER_MS = 30_000;
/** Of each output of a job, where it is not what was expected. */
const SHOWN_CHARACTERS = 2_000;

const FOLDER = process.env.SLURM_FOR_TESTS ?? "";

/** Why Slurm cannot be tested here; undefined when it can. */
export const slurmMissing: string | undefined =
  FOLDER === ""
    ? "SLURM_FOR_TESTS names no folder of a cluster that .ci/start-slurm has brought up"
    : existsSync(join(FOLDER, "slurm.conf"))
      ? undefined
      : `there is no slurm.conf in SLURM_FOR_TESTS, ${FOLDER}`;

const ENVIRONMENT = { ...process.env, SLURM_CONF: join(FOLDER, "slurm.conf"), NO_COLOR: "1" };

/** Runs one of Slurm's commands and gives back what it prints; fails where its exit code is not 0. */
export function slurm(command: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): string {
  const environment = { ...ENVIRONMENT, ...more };
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    env: environment,
    timeout: ANSWER_MS,
  });
  expect(status, `${command} ${args.join(" ")}:\n${stdout}${stderr}`).toBe(0);
  return stdout.trim();
}

interface Submission {
  /** For `sbatch`. */
  readonly resources: readonly string[];
  /** For `lockstep coordinator`. */
  readonly options: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where `sbatch` is called. */
  readonly folder: string;
}

/** A process of a job: those of nodes that share a machine are told apart by their environment. */
interface JobProcess {
  readonly pid: number;
  readonly node: string;
  /** Its number in the step of the workers. */
  readonly task: number;
  readonly command: string;
}

/** A job that runs the script as it is shipped. */
export class SlurmJob {
  readonly id: string;
  readonly #folder: string;

  constructor({ resources, options, environment = {}, folder }: Submission) {
    const args = ["--parsable", `--chdir=${folder}`, "--output=job.out", ...resources, SCRIPT, ...options];
    const defaults = {
      LAUNCH_COMMAND: `${process.execPath} ${CLI}`,
      LOCKSTEP_ENGINE: "wasm",
      LOCKSTEP_REPORT: "false",
    };
    this.id = slurm("sbatch", args, { ...defaults, ...environment });
    this.#folder = folder;
  }

  get runDir(): string {
    return join(this.#folder, "runs", `slurm-${this.id}`);
  }

  /** What the script and the coordinator have said. */
  get output(): string {
    return textOf(join(this.#folder, "job.out"));
  }

  workerLog(task: number): string {
    return textOf(join(this.runDir, "slurm", `worker-${task}.log`));
  }

  /** "RUNNING" and the like, with the exit code once there is one and how often Slurm has restarted the job. */
  get state(): { readonly state: string; readonly exitCode: string; readonly restarts: number } {
    const text = slurm("scontrol", ["--oneliner", "show", "job", this.id]);
    const field = (name: string) => new RegExp(` ${name}=(\\S+)`).exec(text)?.[1] ?? "";
    return { state: field("JobState"), exitCode: field("ExitCode"), restarts: Number(field("Restarts")) };
  }

  /** Those that it has now, as Slurm writes them: "n[1-2]". */
  get nodes(): string {
    return slurm("squeue", ["--noheader", `--jobs=${this.id}`, "--format=%N"]);
  }

  /** Waits until it has said so, or so often. */
  async says(pattern: RegExp, times = 1): Promise<void> {
    const all = new RegExp(pattern, "g");
    await this.until(() => [...this.output.matchAll(all)].length >= times, `says ${String(pattern)}`);
  }

  /** Waits until nothing is left of it to be done or tidied up. @returns the last state */
  async ended(): Promise<SlurmJob["state"]> {
    await this.until(() => !/PENDING|RUNNING|COMPLETING|CONFIGURING/.test(this.state.state), "ends");
    await this.until(
      () => slurm("squeue", ["--noheader", `--jobs=${this.id}`, "--states=all", "--format=%t"]) !== "CG",
      "is tidied up",
    );
    return this.state;
  }

  /** The object that the coordinator printed last. */
  result(): Record<string, unknown> {
    const line = this.output.split("\n").findLast((each) => each.startsWith("{"));
    if (line === undefined) return expect.fail(`job ${this.id} printed no result:\n${this.output}`);
    return JSON.parse(line) as Record<string, unknown>;
  }

  /** The id of the step with a name: "12.1". */
  step(name: string): string {
    const steps = slurm("squeue", ["--noheader", "--steps", `--jobs=${this.id}`, "--format=%i %j"]).split("\n");
    return (
      steps.find((line) => line.endsWith(` ${name}`))?.split(" ")[0] ?? expect.fail(`no step ${name}: ${steps.join()}`)
    );
  }

  /** Its processes, also those of a node that Slurm has given up. */
  processes(): readonly JobProcess[] {
    return processes().filter(({ job }) => job === this.id);
  }

  /** Ends it, for tests that have failed: what it still writes is in its folder when it has ended. */
  async cancel(): Promise<void> {
    spawnSync("scancel", [this.id], { env: ENVIRONMENT, timeout: ANSWER_MS });
    await this.ended();
  }

  /** Waits until it has come true; fails with all that is known of the job when it does not. */
  async until(condition: () => boolean, what: string): Promise<void> {
    try {
      await vi.waitUntil(condition, { timeout: DEADLINE_MS, interval: POLL_MS });
    } catch {
      const last = [this.output, ...[0, 1, 2, 3].map((task) => this.workerLog(task))]
        .map((text) => text.slice(-SHOWN_CHARACTERS))
        .join("\n---\n");
      expect.fail(`job ${this.id} never ${what}; its state: ${JSON.stringify(this.state)}; its last words:
${last}`);
    }
  }
}

/**
 * Ends a node as a power cut would: its daemon and whatever runs on it are killed. Slurm is told at once, as by a site's
 * monitoring; by itself it would take some 25 s to notice.
 */
export function crashNode(node: string): void {
  const daemon = Number(readFileSync(join(FOLDER, `slurmd-${node}.pid`), "utf8"));
  const victims = processes().filter((each) => each.node === node);
  // Slurm's own process beside each step is the parent of a task, and tells by nothing where it belongs.
  const keepers = new Set(
    victims.map(({ pid }) => parentOf(pid)).filter((pid) => commandOf(pid).startsWith("slurmstepd")),
  );
  // First srun, which would have the tasks of other nodes killed when it sees its own die; and of its two processes first
  // the second, which would do so for the first one.
  const isSrun = ({ command }: JobProcess) => command.startsWith("srun ");
  const launchers = victims.filter(isSrun).toSorted((a, b) => b.pid - a.pid);
  const others = victims.filter((victim) => !isSrun(victim));
  for (const { pid } of launchers) kill(pid);
  for (const pid of [daemon, ...keepers, ...others.map((victim) => victim.pid)]) kill(pid);
  slurm("scontrol", ["update", `nodename=${node}`, "state=down", "reason=crashed"]);
}

/** Brings a crashed node back; does nothing where it is up. */
export async function startNode(node: string): Promise<void> {
  const pid = Number(textOf(join(FOLDER, `slurmd-${node}.pid`)));
  if (!commandOf(pid).includes(`slurmd -N ${node} `)) slurm("slurmd", ["-N", node, "-f", ENVIRONMENT.SLURM_CONF]);
  const isReady = () => /^(idle|mixed|allocated)$/.test(stateOf(node));
  await vi.waitUntil(isReady, { timeout: DEADLINE_MS, interval: POLL_MS });
}

/**
 * Makes Slurm count anew which CPUs are in use. Slurm 22.05 forgets to give some back after a job that has lost a node was
 * put back into the queue.
 */
export async function recountCpus(): Promise<void> {
  slurm("scontrol", ["reconfigure"]);
  const free = () => slurm("sinfo", ["--noheader", "--partition=main", "--format=%T"]) === "idle";
  await vi.waitUntil(free, { timeout: DEADLINE_MS, interval: POLL_MS });
}

function stateOf(node: string): string {
  return slurm("sinfo", ["--noheader", "--partition=main", `--nodes=${node}`, "--format=%T"]);
}

/** All processes that Slurm's tasks have started. */
function processes(): readonly (JobProcess & { readonly job: string })[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const environment = textOf(`/proc/${name}/environ`);
      const value = (key: string) => new RegExp(`(?:^|\0)${key}=([^\0]*)`).exec(environment)?.[1];
      const [job, node] = [value("SLURM_JOB_ID"), value("SLURMD_NODENAME")];
      if (job === undefined || node === undefined || value("SLURM_CONF") !== ENVIRONMENT.SLURM_CONF) return [];
      const pid = Number(name);
      return [{ pid, job, node, task: Number(value("SLURM_PROCID")), command: commandOf(pid) }];
    });
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1]);
}

/** Empty for what is not there, or no longer. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
