import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bench, Peer } from "../../../src/bench/bench.ts";
import type { Candidate } from "../../../src/bench/rounds.ts";
import { LineProcess } from "./line-process.ts";

/** Debian's interpreter, for which python3-torch is packaged; install libopenblas0-pthread beside it. */
const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";

export const PYTORCH = {
  oneThread: "PyTorch, 1 thread",
  twoThreads: "PyTorch, 2 threads",
  distributed: "PyTorch DDP, gloo, 2 processes",
} as const;

/** Images of one round. */
const GRADIENT_IMAGES = 4_096;
const TRAINING_IMAGES = 16_384;

/** PyTorch on one thread, on two, and on one thread in each of two processes: one of them is its best way to train. */
export async function startPytorch({
  children,
  folder,
  quick,
}: Pick<Bench, "children" | "folder" | "quick">): Promise<Peer[]> {
  const meeting = join(folder, "gloo");
  const start = (...args: string[]): LineProcess => {
    // Both settings make OpenBLAS slower than its own choice for this processor would be.
    const { OPENBLAS_CORETYPE: _coreType, OPENBLAS_L2_SIZE: _l2Size, ...env } = process.env;
    const script = fileURLToPath(new URL("pytorch_peer.py", import.meta.url));
    return new LineProcess(children, PYTHON, [script, ...args], env);
  };
  const setups = [
    { name: PYTORCH.oneThread, processes: [start("1")] },
    { name: PYTORCH.twoThreads, processes: [start("2")] },
    { name: PYTORCH.distributed, processes: [start("1", "0", "2", meeting), start("1", "1", "2", meeting)] },
  ];
  return Promise.all(
    setups.map(async ({ name, processes }) => {
      const greetings = await Promise.all(processes.map((each) => each.read()));
      const version = greetings[0]?.replace("ready ", "");
      return greetings.every((greeting) => greeting !== undefined)
        ? peer({ name, processes, version, quick })
        : absentPeer(name, processes.length);
    }),
  );
}

interface Setup {
  readonly name: string;
  readonly processes: readonly LineProcess[];
  readonly version: string | undefined;
  readonly quick: boolean;
}

function peer({ name, processes, version, quick }: Setup): Peer {
  const secondsFor = async (what: "gradients" | "training", size: number, steps: number): Promise<number> => {
    for (const each of processes) each.write(`${what} ${size} ${steps}`);
    const seconds = await Promise.all(processes.map((each) => each.read()));
    const longest = Math.max(...seconds.map(Number));
    if (!(longest > 0)) throw new Error(`${name} has died`);
    return longest;
  };
  const candidate = (what: "gradients" | "training", size: number, images: number): Candidate => {
    let isWarm = false;
    return {
      measure: async () => {
        const steps = Math.ceil((quick ? size : images) / size);
        // As ours, whose first epoch does not count: memory is allocated, threads start.
        if (!isWarm) await secondsFor(what, size, Math.ceil(steps / 4));
        isWarm = true;
        return (steps * size) / (await secondsFor(what, size, steps));
      },
    };
  };
  return {
    name,
    ...(version === undefined ? {} : { version }),
    processes: processes.length,
    // The engine works on one core, and so does its counterpart.
    gradients: (images) => (name === PYTORCH.oneThread ? candidate("gradients", images, GRADIENT_IMAGES) : undefined),
    training: (batchSize) => candidate("training", batchSize, TRAINING_IMAGES),
  };
}

function absentPeer(name: string, processes: number): Peer {
  const absent = `not installed: ${PYTHON} has no torch that works (Debian: python3-torch libopenblas0-pthread)`;
  return { name, absent, processes, gradients: () => undefined, training: () => undefined };
}
