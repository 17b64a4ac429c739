/** Workers that compute nothing, several in one process: a program of its own for `relay-traffic.ts`. */

export interface RelayTrafficWorkers {
  /** One for each worker. */
  readonly addresses: readonly string[];
  /** Of the data set. */
  readonly samples: number;
}

const built = <Module>(path: string): Promise<Module> =>
  import(new URL(`../../dist/${path}.js`, import.meta.url).href) as Promise<Module>;
const { Worker } = await built<typeof import("../../src/worker/worker.ts")>("worker/worker");
const { NoOpEngine } = await built<typeof import("../../src/bench/no-op-engine.ts")>("bench/no-op-engine");
const { blankDataset } = await built<typeof import("../../src/bench/blank-dataset.ts")>("bench/blank-dataset");
const { connectZmq } = await built<typeof import("../../src/shared/transport/zmq-connection.ts")>(
  "shared/transport/zmq-connection",
);
const { systemClock } = await built<typeof import("../../src/shared/clock.ts")>("shared/clock");

// Time stands still: all are equally fast, and get equal shares.
const clock = { ...systemClock, now: () => 0 };

const { addresses, samples } = JSON.parse(process.argv[2] ?? "") as RelayTrafficWorkers;
const dataset = blankDataset(samples);
const ends = addresses.map((address) => {
  const worker = new Worker({
    ...{ transport: connectZmq(address), address, engine: new NoOpEngine(), dataset, clock },
    ...{ coordinatorTimeoutMs: 60_000, say: () => {} },
  });
  return worker.run();
});
await Promise.all(ends);
process.exit(0);
