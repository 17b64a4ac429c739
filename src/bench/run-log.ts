/** What a run has written into its `metrics.ndjson`. */

export interface LoggedStep {
  /** In ms since 1970. */
  readonly at: number;
  /** From 1. */
  readonly epoch: number;
  /** From 1, over the whole run. */
  readonly step: number;
  readonly samples: number;
}

export interface LoggedEpoch {
  readonly at: number;
  /** From 1. */
  readonly epoch: number;
  /** 0 to 1 */
  readonly testAccuracy: number;
}

export interface RunLog {
  readonly steps: readonly LoggedStep[];
  readonly epochs: readonly LoggedEpoch[];
}

type Line = { readonly time: string } & (
  ({ readonly type: "step" } & Omit<LoggedStep, "at">) | ({ readonly type: "epoch" } & Omit<LoggedEpoch, "at">)
);

export function parseRunLog(text: string): RunLog {
  const lines = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
  const steps = lines.flatMap((line) =>
    line.type === "step"
      ? [{ at: Date.parse(line.time), epoch: line.epoch, step: line.step, samples: line.samples }]
      : [],
  );
  const epochs = lines.flatMap((line) =>
    line.type === "epoch" ? [{ at: Date.parse(line.time), epoch: line.epoch, testAccuracy: line.testAccuracy }] : [],
  );
  return { steps, epochs };
}

/**
 * Images a second once training runs evenly, by the clock on the wall: within each epoch from its first to its last
 * logged step, which leaves out start-up and evaluation. The second half of the epochs counts: compilers are at work for
 * the first thousand steps or so.
 */
export function steadyRate({ steps }: RunLog): number {
  const lastEpoch = steps.at(-1)?.epoch ?? 1;
  let images = 0;
  let ms = 0;
  for (let epoch = Math.floor(lastEpoch / 2) + 1; epoch <= lastEpoch; epoch++) {
    const logged = steps.filter((step) => step.epoch === epoch);
    const [first, last] = [logged[0], logged.at(-1)];
    if (first === undefined || last === undefined) continue;
    images += (last.step - first.step) * first.samples;
    ms += last.at - first.at;
  }
  return images / (ms / 1000);
}
