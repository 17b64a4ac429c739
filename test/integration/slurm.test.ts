import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { loadDataset } from "../../src/shared/data/dataset.ts";
import { encodeImages, encodeLabels } from "../../src/shared/data/idx.ts";
import { resultOf, useCli } from "../support/cli.ts";
import { crashNode, recountCpus, slurm, SlurmJob, slurmMissing, startNode } from "../support/slurm.ts";

/** `deploy/slurm/lockstep.sbatch` as it is shipped, on a real Slurm. */

const reason = slurmMissing === undefined ? "" : ` (${slurmMissing})`;
const LIMIT_MS = 300_000;

/** A part of MNIST: 32 steps an epoch, and not long an evaluation. */
const DATA = mkdtempSync(join(tmpdir(), "lockstep-slurm-"));
const cli = useCli();
afterAll(() => rmSync(DATA, { recursive: true }));
beforeAll(async () => {
  if (slurmMissing !== undefined) return;
  const mnist = await loadDataset();
  for (const [name, split, count] of [
    ["train", mnist.train, 2_000],
    ["t10k", mnist.test, 200],
  ] as const) {
    writeFileSync(join(DATA, `${name}-images-idx3-ubyte`), encodeImages(split.pixels.subarray(0, count * 784)));
    writeFileSync(join(DATA, `${name}-labels-idx1-ubyte`), encodeLabels(split.labels.subarray(0, count)));
  }
});

const TWO_NODES = ["--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=1"];
const jobs: SlurmJob[] = [];

function submit(epochs: number, resources: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const options = ["--epochs", String(epochs), "--checkpoint-every", "10", "--log-every", "10"];
  return submitWith([...options, "--metrics-port", "0", "--json"], resources, environment);
}

function submitWith(options: readonly string[], resources: readonly string[], environment = {}): SlurmJob {
  const folder = join(cli.folder(), "shared");
  mkdirSync(folder, { recursive: true });
  const job = new SlurmJob({ resources, options, folder, environment: { LOCKSTEP_DATA: DATA, ...environment } });
  jobs.push(job);
  return job;
}

afterEach(async () => {
  for (const job of jobs.splice(0)) await job.cancel();
});

const known = new Map<string, unknown>();

/** The hash of `lockstep train` with one worker, outside of Slurm. */
async function undisturbed(epochs: number, seed = 1): Promise<unknown> {
  const training = ["--data", DATA, "--epochs", String(epochs), "--seed", String(seed)];
  const args = ["train", ...training, "--workers", "1", "--metrics-port", "0", "--json"];
  const hash = known.get(args.join()) ?? resultOf(await cli.run(args)).weightsSha256;
  known.set(args.join(), hash);
  return hash;
}

/** The run is complete, with the weights of one that nothing has befallen, and nothing is left but its folder. */
async function endsWell(job: SlurmJob, epochs: number, restarts = 0): Promise<Record<string, unknown>> {
  expect(await job.ended(), job.output).toEqual({ state: "COMPLETED", exitCode: "0:0", restarts });
  const result = job.result();
  expect(result).toMatchObject({ epochs, samplesLost: 0, samplesRepeated: 0 });
  expect(result.weightsSha256).toBe(await undisturbed(epochs));
  await leavesNothing(job);
  return result;
}

async function leavesNothing(job: SlurmJob): Promise<void> {
  await vi.waitFor(() => expect(job.processes()).toEqual([]), { timeout: 20_000 });
  expect(existsSync(join(job.runDir, "slurm", "keys"))).toBe(false);
}

const workersOf = (job: SlurmJob) => job.processes().filter(({ command }) => / worker --connect /.test(command));
const computing = (job: SlurmJob) => workersOf(job).filter(({ command }) => !command.startsWith("bash"));

describe.skipIf(slurmMissing !== undefined)(`the script for Slurm${reason}`, () => {
  it(
    "trains with a worker on each GPU, the one that Slurm gave it, to the weights of lockstep train",
    async () => {
      const job = submit(3, [...TWO_NODES, "--gpus-per-task=1"]);
      const result = await endsWell(job, 3);
      expect(result.workers).toBe(4);
      const said = [0, 1, 2, 3].map((task) =>
        /^task \d on (n\d), CUDA_VISIBLE_DEVICES: (\S+)$/m.exec(job.workerLog(task)),
      );
      const given = said.map((match) => `${match?.[1]}:${match?.[2]}`);
      const [first, second] = [given[0]?.slice(0, 2), given[2]?.slice(0, 2)];
      expect(given.toSorted()).toEqual([`${first}:0`, `${first}:1`, `${second}:0`, `${second}:1`]);
      expect(first).not.toBe(second);
      expect(job.workerLog(3)).toMatch(/welcomed as worker-\d[^]*the run is done/);
    },
    LIMIT_MS,
  );

  it(
    "goes on when a worker is killed, when their step is ended, and when the coordinator is killed",
    async () => {
      const job = submit(16, TWO_NODES);
      await job.says(/4 workers ready/);
      await job.says(/Step \[20\/32\]/);
      process.kill(computing(job)[0]!.pid, "SIGKILL");
      await job.says(/lost worker worker-\d/);
      await job.says(/Epoch \[3\//);
      slurm("scancel", ["--signal=KILL", job.step("workers")]);
      await job.says(/all workers have ended \(exit code 137\): starting them again/);
      await job.says(/Epoch \[6\//);
      const [coordinator] = job
        .processes()
        .filter(({ command }) => / coordinator --listen /.test(command) && !command.startsWith("srun"));
      process.kill(coordinator!.pid, "SIGKILL");
      await job.says(/the coordinator was killed \(exit code 137\): starting it again/);
      await job.says(/Resuming runs\/slurm-\d+ from step/);
      await endsWell(job, 16);
    },
    LIMIT_MS,
  );

  it(
    "is saved and put back into the queue before the time limit, and when it is preempted",
    async () => {
      const job = submit(16, TWO_NODES);
      await job.says(/Epoch \[2\//);
      // What Slurm does at the time that --signal names.
      slurm("scancel", ["--batch", "--signal=USR1", job.id]);
      await job.says(/Interrupted by SIGTERM after/);
      await job.says(/Resuming runs\/slurm-\d+ from step \d+ of/);
      await job.says(/4 workers ready/, 2);
      await job.says(/Epoch \[4\//);
      const urgent = slurm("sbatch", [
        "--parsable",
        "--partition=urgent",
        "--nodes=3",
        "--exclusive",
        "--output=/dev/null",
        "--wrap=true",
      ]);
      expect(urgent).toMatch(/^\d+$/);
      await job.says(/Interrupted by SIGTERM after/, 2);
      await job.says(/Resuming runs\/slurm-\d+ from step \d+ of/, 2);
      await endsWell(job, 16, 2);
    },
    LIMIT_MS,
  );

  it(
    "goes on when a node fails, and is put back into the queue when it is the first one, where it goes on from its checkpoint",
    async () => {
      try {
        const job = submit(30, ["--nodes=3", "--ntasks-per-node=1", "--cpus-per-task=1"], {
          LOCKSTEP_COORDINATOR_TIMEOUT_S: "5",
        });
        await job.says(/3 workers ready/);
        await job.says(/Epoch \[2\//);
        crashNode("n3");
        await job.says(/lost worker worker-\d/);
        await job.until(() => job.nodes === "n[1-2]", "is without n3");
        crashNode("n1");
        await job.until(() => job.state.restarts === 1, "is put back into the queue");
        expect(job.workerLog(1)).toMatch(/lost n1, the first node: putting the job back into the queue/);
        await startNode("n1");
        await startNode("n3");
        await job.says(/Resuming runs\/slurm-\d+ from step \d+ of/);
        await endsWell(job, 30, 1);
      } finally {
        for (const node of ["n1", "n2", "n3"]) await startNode(node);
        await recountCpus();
      }
    },
    LIMIT_MS,
  );

  it(
    "leaves a checkpoint and no process when it is cancelled",
    async () => {
      const job = submit(1_000, TWO_NODES);
      await job.says(/4 workers ready/);
      await job.says(/Epoch \[3\//);
      slurm("scancel", [job.id]);
      expect(await job.ended()).toMatchObject({ state: "CANCELLED", restarts: 0 });
      await leavesNothing(job);
      expect(job.output).toMatch(/Interrupted by SIGTERM after \d+ steps/);
      expect(job.output).not.toMatch(/back into the queue/);
      expect(existsSync(join(job.runDir, "checkpoints", "latest"))).toBe(true);
    },
    LIMIT_MS,
  );

  it(
    "passes on the exit codes of lockstep, of the coordinator and of workers none of which can work",
    async () => {
      const refused = submitWith(["--epochs", "many"], ["--ntasks=1"]);
      const hopeless = submit(1_000, ["--ntasks=2"], { LOCKSTEP_GPU: "0", LOCKSTEP_ENGINE: "tensorflow" });
      expect(await refused.ended(), refused.output).toMatchObject({ state: "FAILED", exitCode: "2:0" });
      expect(await hopeless.ended(), hopeless.output).toMatchObject({ state: "FAILED", exitCode: "2:0" });
      expect(hopeless.output).toMatch(/all workers have ended \(exit code 2\), see .*: ending the run/);
      await leavesNothing(hopeless);
    },
    LIMIT_MS,
  );

  it(
    "gives each task of an array its own seed, folder and port",
    async () => {
      const resources = ["--array=3-4", "--ntasks=1"];
      const array = submit(1, resources, { LAUNCH_INTERFACE: "lo" });
      const folderOf = (seed: number) => `${array.runDir}_${seed}`;
      await array.until(
        () => existsSync(join(folderOf(3), "result.json")) && existsSync(join(folderOf(4), "result.json")),
        "ends",
      );
      await array.ended();
      const ports = [...array.output.matchAll(/ at tcp:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port);
      expect(new Set(ports).size).toBe(2);
      for (const seed of [3, 4]) {
        const { weightsSha256 } = JSON.parse(readFileSync(join(folderOf(seed), "result.json"), "utf8")) as {
          weightsSha256: string;
        };
        expect(weightsSha256).toBe(await undisturbed(1, seed));
      }
    },
    LIMIT_MS,
  );
});
