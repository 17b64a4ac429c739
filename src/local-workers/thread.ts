import { Worker as Thread, type WorkerOptions } from "node:worker_threads";
import type { TrainConfig } from "../shared/config.ts";
import type { Dataset } from "../shared/data/dataset.ts";
import { messageOf } from "../shared/errors.ts";
import type { ThreadNetwork } from "../shared/transport/threads.ts";
import type { PeerId } from "../shared/transport/transport.ts";
import type { LocalExit, LocalWorker } from "./local-worker.ts";
import type { ThreadData } from "./thread-main.ts";

export interface ThreadOptions {
  readonly network: ThreadNetwork;
  readonly engine: TrainConfig["engine"];
  /** In shared memory: the threads read the same copy. */
  readonly dataset: Dataset;
  readonly onExit: (peer: PeerId, reason: string) => void;
}

/** Starts a worker as a thread of this process. */
export function launchThread({ network, engine, dataset, onExit }: ThreadOptions): LocalWorker {
  const { peer, end } = network.open();
  try {
    const thread = start({
      workerData: { end, engine, dataset } satisfies ThreadData,
      transferList: [end.port],
      stdout: true,
      stderr: true,
      // This program's flags are not meant for them: its `--input-type` would even be refused.
      execArgv: [],
    });
    return localThread(thread, (reason) => onExit(peer, reason));
  } catch (thrown) {
    end.port.close();
    throw thrown;
  }
}

function start(options: WorkerOptions): Thread {
  if (!import.meta.url.endsWith(".ts")) return new Thread(new URL("thread-main.js", import.meta.url), options);
  // For development: tsx does not follow into threads unless it is called there.
  const [tsx, main] = ["tsx/esm/api", "./thread-main.ts"].map((each) => JSON.stringify(import.meta.resolve(each)));
  return new Thread(`import(${tsx}).then(({ register }) => (register(), import(${main})));`, {
    ...options,
    eval: true,
  });
}

/**
 * A thread as a local worker. What it writes to its standard output is dropped, as that of a worker process is.
 * @param thread started with streams of its own
 */
export function localThread(thread: Thread, onExit: (reason: string) => void): LocalWorker {
  thread.stdout.resume();
  let failure: unknown;
  let hasFailed = false;
  thread.on("error", (thrown) => {
    failure = thrown;
    hasFailed = true;
  });
  return {
    name: `worker thread ${thread.threadId}`,
    stderr: thread.stderr,
    onExit: (listener: (exit: LocalExit) => void) => {
      thread.on("exit", (code) => {
        const reason = hasFailed ? `its thread failed: ${messageOf(failure)}` : `its thread ended with code ${code}`;
        onExit(reason);
        const stack = failure instanceof Error ? failure.stack : undefined;
        listener({ reason, code, ...(stack === undefined ? {} : { stack }) });
      });
    },
    end: () => void thread.terminate(),
    kill: () => void thread.terminate(),
  };
}
