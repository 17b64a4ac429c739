import { collectGarbageRarely } from "../garbage-collection.ts";
import { systemClock } from "../shared/clock.ts";
import { connectZmq } from "../shared/transport/zmq.ts";
import { Worker } from "../worker/worker.ts";
import { answerBytes } from "./bare-sockets.ts";
import { blankDataset } from "./blank-dataset.ts";
import { NoOpEngine } from "./no-op-engine.ts";

/** A program of its own: one worker of suite `exchange`. Arguments: which kind, the address, samples of the data set. */

const [kind, address = "", samples = "1"] = process.argv.slice(2);

collectGarbageRarely();
process.once("disconnect", () => process.exit(1));
if (kind === "bare") {
  await answerBytes(address);
} else {
  const worker = new Worker({
    transport: connectZmq(address),
    ...{ address, engine: new NoOpEngine(), dataset: blankDataset(Number(samples)) },
    clock: systemClock,
    coordinatorTimeoutMs: 60_000,
    say: () => {},
  });
  await worker.run();
}
process.exit(0);
