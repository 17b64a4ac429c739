import { Worker as Thread } from "node:worker_threads";
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
  const { peer, port } = network.open();
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const thread = new Thread(new URL(`thread-main${extension}`, import.meta.url), {
    workerData: { port, engine, dataset } satisfies ThreadData,
    transferList: [port],
    stderr: true,
  });
  const name = `worker thread ${thread.threadId}`;
  let failure: string | undefined;
  thread.on("error", (error) => {
    failure = messageOf(error);
  });
  return {
    name,
    stderr: thread.stderr,
    onExit: (listener: (exit: LocalExit) => void) => {
      thread.on("exit", (code) => {
        const reason = failure === undefined ? `its thread ended with code ${code}` : `its thread failed: ${failure}`;
        onExit(peer, reason);
        listener({ reason, code });
      });
    },
    end: () => void thread.terminate(),
    kill: () => void thread.terminate(),
  };
}
