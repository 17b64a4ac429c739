import { formatCount } from "../../shared/format.ts";
import { amountOf, type Bench } from "../bench.ts";
import type { Measurement, SuiteReport } from "../report.ts";
import { childrenOf, residentMemory, type ResidentMemory } from "../resident-memory.ts";
import type { LoggedStep } from "../run-log.ts";
import { runTraining } from "../training-process.ts";
import { type Isolation, ISOLATIONS } from "./training.ts";

const WORKERS = 2;
const BATCH_SIZE = 64;
const QUICK_STEPS = 300;
/** How often memory is looked at. */
const INTERVAL_MS = 250;
const QUICK_INTERVAL_MS = 20;
/** Parts of the run after which a step is logged, so that a time can be told from a step. */
const LOGGED = 20;

/** One look at all processes of a run. */
interface Sample {
  /** In ms since 1970. */
  readonly at: number;
  /** The coordinator, then its child processes. */
  readonly processes: readonly (ResidentMemory | undefined)[];
}

/** Memory of coordinator and workers, early and late in a long run: it should stay flat. */
export async function memorySuite(bench: Bench): Promise<SuiteReport> {
  const steps = amountOf(bench, bench.soakSteps, QUICK_STEPS);
  const notes: string[] = [];
  const measurements: Measurement[] = [];
  for (const isolation of ISOLATIONS) {
    bench.say(`memory over ${formatCount(steps)} steps, isolation ${isolation}`);
    const { samples, logged } = await watch(bench, isolation, steps);
    const [early, late] = [earlyStep(logged), logged.at(-1)];
    if (early === undefined || late === undefined) continue;
    measurements.push(...figures(isolation, lastBefore(samples, early.at), lastBefore(samples, late.at)));
    notes.push(`Isolation ${isolation}: early is step ${formatCount(early.step)}, late ${formatCount(late.step)}.`);
  }
  const title = `resident memory of a run with ${WORKERS} workers`;
  return { suite: "memory", title, unit: "MB", notes, measurements };
}

async function watch(
  bench: Bench,
  isolation: Isolation,
  steps: number,
): Promise<{ samples: readonly Sample[]; logged: readonly LoggedStep[] }> {
  const images = Math.min(steps * BATCH_SIZE, bench.dataset.train.count);
  const stepsPerEpoch = Math.ceil(images / BATCH_SIZE);
  const samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    const onStart = ({ pid = 0 }: { readonly pid?: number | undefined }): void => {
      const look = (): void => {
        samples.push({ at: Date.now(), processes: [pid, ...childrenOf(pid)].map(residentMemory) });
      };
      timer = setInterval(look, amountOf(bench, INTERVAL_MS, QUICK_INTERVAL_MS));
    };
    const { log } = await runTraining(
      { ...bench, onStart },
      {
        "--workers": WORKERS,
        "--min-workers": WORKERS,
        "--isolation": isolation,
        "--batch-size": BATCH_SIZE,
        "--limit-train": images,
        "--epochs": Math.ceil(steps / stepsPerEpoch),
        "--log-every": Math.max(1, Math.min(stepsPerEpoch, Math.floor(steps / LOGGED))),
      },
    );
    return { samples, logged: log.steps };
  } finally {
    clearInterval(timer);
  }
}

/** In the second epoch, once every image has been used; in the first where there is no other. */
function earlyStep(logged: readonly LoggedStep[]): LoggedStep | undefined {
  return logged.find(({ epoch }) => epoch > 1) ?? logged[0];
}

function lastBefore(samples: readonly Sample[], at: number): Sample | undefined {
  return samples.findLast((sample) => sample.at <= at);
}

function figures(isolation: Isolation, early: Sample | undefined, late: Sample | undefined): Measurement[] {
  const count = late?.processes.length ?? 1;
  return Array.from({ length: count }, (_, i) => {
    const process = i > 0 ? `worker ${i}` : count > 1 ? "coordinator" : "coordinator and workers";
    const taken = [
      ["early", early?.processes[i]?.now],
      ["late", late?.processes[i]?.now],
      ["peak", late?.processes[i]?.peak],
    ] as const;
    return taken.map(([when, value]): Measurement => {
      return { of: { isolation, process, when }, rounds: value === undefined ? [] : [value] };
    });
  }).flat();
}
