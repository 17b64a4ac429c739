import { createEngine } from "../../worker/engines/select.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { InProcessTrainer } from "../in-process-trainer.ts";
import { measurementsOf, type SuiteReport } from "../report.ts";
import { type Candidate, takeTurns } from "../rounds.ts";

export const BATCH_SIZES = [64, 256, 1024] as const;

/** Images of one round, and of the part of the training set that is trained on: a multiple of every batch size. */
const IMAGES = 16_384;
const QUICK_IMAGES = 1_024;

/** Whole training steps in one thread, without any messages: the baseline of all scaling. */
export async function stepSuite(bench: Bench): Promise<SuiteReport> {
  bench.say(`in-process steps at batch ${BATCH_SIZES.join(", ")}`);
  const candidates = await Promise.all(BATCH_SIZES.map((batchSize) => inProcess(bench, batchSize)));
  const figures = await takeTurns(candidates, roundsOf(bench));
  for (const candidate of candidates) await candidate.dispose();
  return {
    suite: "step",
    title: "training steps of one in-process worker, with Adam and without messages",
    unit: "images/s",
    notes: [],
    measurements: measurementsOf(
      BATCH_SIZES.map((batch) => ({ batch })),
      figures,
    ),
  };
}

/** Images a second of one in-process worker. The first round also resizes the images, so it should not count. */
export async function inProcess(bench: Bench, batchSize: number): Promise<Candidate & { dispose(): Promise<void> }> {
  const images = Math.min(amountOf(bench, IMAGES, QUICK_IMAGES), bench.dataset.train.count);
  const steps = Math.ceil(images / batchSize);
  const engine = await createEngine("auto");
  const trainer = new InProcessTrainer(engine, bench.dataset, batchSize, images);
  return {
    measure: async () => {
      const startedAt = performance.now();
      for (let step = 0; step < steps; step++) await trainer.step();
      return images / ((performance.now() - startedAt) / 1000);
    },
    dispose: async () => {
      await engine.dispose();
    },
  };
}
