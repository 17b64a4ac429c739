import { type Bench, roundsOf } from "../bench.ts";
import { measurementsOf, type SuiteReport } from "../report.ts";
import { takeTurns } from "../rounds.ts";
import { runTraining } from "../training-process.ts";

const GOAL = 0.99;
/** The whole recipe takes a while. */
const MOST_ROUNDS = 2;

/** What a user waits for, from the command's start: its first step, 99 %, its end. */
export async function timeToAccuracySuite(bench: Bench): Promise<SuiteReport> {
  bench.say("time to the first step");
  const first = { measure: () => secondsToFirstStep(bench) };
  const [start = []] = await takeTurns([first], roundsOf(bench, { warmUps: 0 }));
  const labels = [{ recipe: "seed", until: "first step done" }];
  const figures = [start];
  for (const recipe of bench.quick ? [] : ["fast", "seed"]) {
    bench.say(`recipe ${recipe} until ${GOAL * 100} %, and to its end`);
    const { rounds } = roundsOf(bench, { most: MOST_ROUNDS });
    const reached: number[] = [];
    const ended: number[] = [];
    const trained: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { log, result, wallSeconds, startedAt } = await runTraining(bench, { "--recipe": recipe });
      const epoch = log.epochs.find(({ testAccuracy }) => testAccuracy >= GOAL);
      if (epoch !== undefined) reached.push((epoch.at - startedAt) / 1000);
      ended.push(wallSeconds);
      trained.push(result.trainSeconds);
    }
    const untils = [`${GOAL * 100} % of test images`, "end", "end, without the start"];
    labels.push(...untils.map((until) => ({ recipe, until })));
    figures.push(reached, ended, trained);
  }
  return {
    suite: "time-to-accuracy",
    title: "lockstep train as it comes, from the start of the command",
    unit: "s",
    notes: [],
    measurements: measurementsOf(labels, figures),
  };
}

/** All images are loaded, but only a few batches trained on. */
async function secondsToFirstStep(bench: Bench): Promise<number> {
  const options = { "--epochs": 1, "--limit-train": 640, "--log-every": 1 };
  const { log, startedAt } = await runTraining(bench, options);
  return ((log.steps[0]?.at ?? NaN) - startedAt) / 1000;
}
