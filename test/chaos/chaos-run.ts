import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../src/shared/errors.ts";
import { type Ended, resultOf } from "../support/cli.ts";
import { temporariesIn } from "./damage-checkpoints.ts";
import type { Arena } from "./faults.ts";
import type { Injector } from "./injector.ts";
import type { RunReport } from "./report.ts";
import type { ChaosSettings } from "./settings.ts";
import { beginRun, type StageOptions } from "./stage.ts";
import { StepPauses } from "./step-pauses.ts";
import { within } from "./within.ts";

/** A run without a new step for so long is left in peace, to see whether it goes on by itself... */
const STANDSTILL_MS = 60_000;
/** ...within this time. If not, it is stuck. */
const RECOVERY_MS = 60_000;
const STATUS_EVERY_MS = 50;
const STATUS_TIMEOUT_MS = 1_000;
/** Faults that are cut short have so long to be over; a coordinator may have to be started once more. */
const END_MS = 90_000;
/** Whatever a run has started has so long to end once it is over. */
const GONE_MS = 20_000;

interface ChaosRunOptions extends StageOptions {
  /** Of the undisturbed run. */
  readonly expectedSha256: string;
  readonly injector: Injector;
  /** From then on the run is left in peace. */
  readonly timeIsUp: AbortSignal;
}

/** One training run, disturbed from its first step on, and whether it came out as promised. */
export async function chaosRun(options: ChaosRunOptions): Promise<RunReport> {
  const { settings, processes, injector, variant, expectedSha256, timeIsUp } = options;
  const startedAt = performance.now();
  const violations: string[] = [];
  const { arena, close } = await beginRun(options, (what) => violations.push(what));
  const pauses = new StepPauses(startedAt);
  const calm = new AbortController();
  const quiet = AbortSignal.any([calm.signal, timeIsUp]);
  const watching = watch(arena, pauses, calm);
  const injecting = injector.disturb(arena, pauses, quiet);
  const ended = await Promise.race([arena.leader.finished, watching]);
  calm.abort();
  try {
    await within(END_MS, "the end of the faults under way", Promise.all([injecting, close()]));
  } catch (thrown) {
    violations.push(`${messageOf(thrown)}; under way: ${injector.underWay.join(", ") || "nothing"}`);
  }
  if (typeof ended === "string") {
    pauses.end(performance.now());
    violations.push(ended);
    await processes.kill();
  }
  const left = await processes.gone(GONE_MS);
  if (left.length > 0) violations.push(`processes left behind: ${left.join(", ")}`);
  await processes.kill();
  const verdict = typeof ended === "string" ? undefined : judge(ended, settings, expectedSha256, violations);
  const temporaries = temporariesIn(arena.checkpoints);
  if (temporaries.length > 0) violations.push(`temporary files left behind: ${temporaries.join(", ")}`);
  return {
    ...{ variant: variant.name, violations, expectedSha256, ...verdict },
    seconds: (performance.now() - startedAt) / 1000,
    steps: pauses.steps,
    restarts: arena.leader.life - 1,
    processesLeft: left.length,
    longestPause: pauses.longest,
    longestPauseBy: Object.fromEntries(pauses.longestBy),
  };
}

/** Looks at the run's steps until it is over. @returns only when it is stuck: a sentence */
async function watch(arena: Arena, pauses: StepPauses, calm: AbortController): Promise<string> {
  let calmSince: number | undefined;
  while (!arena.leader.hasFinished) {
    const { life } = arena.leader;
    const status = await arena.leader.status(STATUS_TIMEOUT_MS);
    const at = performance.now();
    if (typeof status?.step === "number" && life === arena.leader.life) pauses.seen(at, life, status.step);
    const standingMs = pauses.standingSince(at);
    if (standingMs > STANDSTILL_MS && calmSince === undefined) {
      calmSince = at;
      calm.abort();
    }
    if (calmSince !== undefined && standingMs > STANDSTILL_MS && at - calmSince > RECOVERY_MS) {
      return `stuck: no step for ${Math.round(standingMs / 1000)} s; /status says ${JSON.stringify(status)}`;
    }
    await sleep(STATUS_EVERY_MS);
  }
  return new Promise(() => {});
}

/** What the run came to. Adds to `violations` whatever is not as promised. */
function judge(
  ended: Ended,
  { epochs, limitTrain }: ChaosSettings,
  expectedSha256: string,
  violations: string[],
): Pick<RunReport, "weightsSha256" | "samplesLost"> {
  const lastWords = ended.stderr.slice(-1_000).trim();
  if (ended.code !== 0) violations.push(`it ended with ${ended.signal ?? `code ${ended.code}`}: ${lastWords}`);
  let result: Record<string, unknown>;
  try {
    result = resultOf(ended);
  } catch (thrown) {
    violations.push(`it gave no result: ${messageOf(thrown)}`);
    return { weightsSha256: null, samplesLost: null };
  }
  const { weightsSha256, samples, samplesLost } = result;
  if (weightsSha256 !== expectedSha256) violations.push(`its weights are ${String(weightsSha256)}`);
  if (samples !== epochs * limitTrain) violations.push(`${String(samples)} samples, not ${epochs} x ${limitTrain}`);
  if (samplesLost !== 0) violations.push(`samples lost: ${String(samplesLost)}`);
  return {
    weightsSha256: typeof weightsSha256 === "string" ? weightsSha256 : null,
    samplesLost: typeof samplesLost === "number" ? samplesLost : null,
  };
}
