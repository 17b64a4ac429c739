import { systemClock } from "../shared/clock.ts";
import type { WorkerConfig } from "../shared/config.ts";
import { loadDataset } from "../shared/data/dataset.ts";
import { connectZmq } from "../shared/transport/zmq.ts";
import { createEngine } from "../worker/engines/select.ts";
import { Worker } from "../worker/worker.ts";

/** `lockstep worker`. @returns the exit code */
export async function workerCommand(config: WorkerConfig): Promise<number> {
  const engine = await createEngine(config.engine);
  const dataset = await loadDataset(config.data);
  const say = (text: string): void => {
    if (!config.quiet) process.stderr.write(`lockstep worker: ${text}\n`);
  };
  say(`${engine.name} engine on ${engine.device}, ${dataset.name}; connecting to ${config.connect}`);
  const worker = new Worker({
    transport: connectZmq(config.connect),
    ...{ address: config.connect, engine, dataset, say },
    clock: systemClock,
    coordinatorTimeoutMs: config.coordinatorTimeoutS * 1000,
  });
  watchSignals(worker);
  const { code, text } = await worker.run();
  await engine.dispose();
  if (code !== 0 || !config.quiet) process.stderr.write(`lockstep worker: ${text}\n`);
  return code;
}

/**
 * Started by `lockstep train`, a worker leaves signals from the terminal to it, and ends when it is gone, however it
 * went. Started by hand, it leaves at the first signal and ends at once at the second.
 */
function watchSignals(worker: Worker): void {
  const isChild = process.connected;
  let received = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (isChild && signal === "SIGINT") return;
      if (received) process.exit(signal === "SIGINT" ? 130 : 143);
      received = true;
      worker.interrupt(signal);
    });
  }
  if (isChild) process.once("disconnect", () => process.exit(1));
}
