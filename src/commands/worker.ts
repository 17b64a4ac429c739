import { onCrash } from "../crashes.ts";
import { CHILD_GPU, CHILD_MARK } from "../local-workers/child-mark.ts";
import { AccessToken } from "../shared/access-token.ts";
import { systemClock } from "../shared/clock.ts";
import type { WorkerConfig } from "../shared/config.ts";
import { SIGNALS } from "../shared/errors.ts";
import { loadDataset } from "../shared/data/dataset.ts";
import { connectionKeys } from "../shared/keys/endpoint-keys.ts";
import { connectZmq } from "../shared/transport/zmq-connection.ts";
import { onSignal } from "../signals.ts";
import { WorkerLog } from "../worker-log.ts";
import { VERSION } from "../version.ts";
import { createEngine } from "../worker/engines/select.ts";
import { bindGpu } from "../worker/gpus/bind-gpu.ts";
import type { Gpu } from "../worker/gpus/gpu.ts";
import { WorkerMonitoring } from "../worker/monitoring.ts";
import { Worker } from "../worker/worker.ts";

/** `lockstep worker`. @returns the exit code */
export async function workerCommand(config: WorkerConfig): Promise<number> {
  const isChild = process.env[CHILD_MARK] !== undefined;
  if (isChild) followParent();
  const log = new WorkerLog(config, process.stderr);
  if (config.logFormat === "json") onCrash((thrown) => log.crashed(thrown));
  const given = isChild ? process.env[CHILD_GPU] : undefined;
  const keys = connectionKeys(config, (message) => log.tell("warning", `warning: ${message}`));
  const binding = await bindGpu({
    ...{ engine: config.engine, gpu: config.gpu, shareGpu: config.shareGpu },
    what: `lockstep worker for ${config.connect}`,
    ...(given === undefined ? {} : { found: { gpus: [JSON.parse(given) as Gpu] } }),
  });
  const { gpu } = binding;
  const engine = await createEngine(binding.engine, {
    deterministic: config.deterministic,
    ...(gpu === undefined ? {} : { gpu }),
  });
  const dataset = await loadDataset(config.data);
  if (binding.note !== undefined) log.tell("starting", binding.note);
  const [{ name, device }, data, address] = [engine, dataset.name, config.connect];
  const start = { engine: name, device, data, address };
  log.tell("connecting", `${name} engine on ${device}, ${data}; connecting to ${address}`, start);
  const driver = typeof gpu === "object" ? gpu.driver : undefined;
  const { metricsHost: host, metricsPort: port, metricsTokenFile } = config;
  const token =
    port === undefined || metricsTokenFile === undefined
      ? undefined
      : new AccessToken(metricsTokenFile, (text) => log.tell("warning", `warning: ${text}`));
  const monitoring =
    port === undefined
      ? undefined
      : await WorkerMonitoring.open({ host, port, token, engine, driver, version: VERSION });
  if (monitoring !== undefined) {
    log.tell("monitoring", `metrics for Prometheus at ${monitoring.url}`, { url: monitoring.url });
  }
  const worker = new Worker({
    transport: connectZmq(config.connect, keys),
    ...{ address: config.connect, engine, dataset, ...log.listener, metrics: monitoring?.metrics },
    ...(driver === undefined ? {} : { driver }),
    clock: systemClock,
    coordinatorTimeoutMs: config.coordinatorTimeoutS * 1000,
  });
  monitoring?.watch(worker);
  if (!isChild) onSignal((signal) => worker.interrupt(signal));
  const end = await worker.run();
  await monitoring?.close();
  await engine.dispose();
  binding.release();
  log.ended(end, worker.step);
  return end.code;
}

/**
 * Leaves signals, which often reach parent and child alike, to the parent: it finishes the step under way and then tells
 * its workers to stop. Ends when the parent's channel closes, as it does however the parent ends.
 */
function followParent(): void {
  for (const signal of SIGNALS) process.on(signal, () => {});
  if (!process.connected) process.exit(1);
  process.once("disconnect", () => process.exit(1));
}
