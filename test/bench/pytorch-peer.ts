import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Debian's interpreter, for which python3-torch is packaged; install libopenblas0-pthread beside it. */
const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";

/** A PyTorch process that takes its turns between ours. */
export interface PytorchPeer {
  readonly version: string;
  /** @returns seconds for `steps` forward and backward passes over `images` images */
  run(images: number, steps: number): Promise<number>;
  stop(): void;
}

/** @returns undefined where there is no Python with torch */
export async function startPytorchPeer(): Promise<PytorchPeer | undefined> {
  // Both settings make OpenBLAS slower than its own choice for this processor would be.
  const { OPENBLAS_CORETYPE: _coreType, OPENBLAS_L2_SIZE: _l2Size, ...env } = process.env;
  const script = fileURLToPath(new URL("pytorch_peer.py", import.meta.url));
  const child = spawn(PYTHON, [script], { env, stdio: ["pipe", "pipe", "ignore"] });
  const lines = linesOf(child);
  const greeting = await lines();
  if (greeting === undefined) return undefined;
  return {
    version: greeting.replace("ready ", ""),
    async run(images, steps) {
      child.stdin.write(`${images} ${steps}\n`);
      const seconds = Number(await lines());
      if (!(seconds > 0)) throw new Error("the PyTorch peer died");
      return seconds;
    },
    stop: () => child.stdin.end(),
  };
}

/** @returns a function that waits for the next line; undefined once there are no more */
function linesOf(child: ChildProcess): () => Promise<string | undefined> {
  child.on("error", () => undefined); // no such interpreter: its output just ends
  if (child.stdout === null) return async () => undefined;
  const iterator = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const next = await iterator.next();
    return next.done === true ? undefined : next.value;
  };
}
