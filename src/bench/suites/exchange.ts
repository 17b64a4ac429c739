import { formatPlural } from "../../shared/format.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import {
  type Exchange,
  exchangeBetweenProcesses,
  exchangeBetweenThreads,
  exchangeThroughBareSockets,
} from "../no-op-exchange.ts";
import { type Measurement, measurementsOf, type SuiteReport } from "../report.ts";
import { takeTurns } from "../rounds.ts";

const WORKERS = [1, 2, 4, 8, 16] as const;
/** Steps measured in a round, fewer with many workers: each of them sends and receives half a megabyte a step. */
const STEPS = 2_000;
const LEAST_STEPS = 250;
const QUICK_STEPS = 50;
/** V8 goes on optimising for about as long. */
const WARM_UP_STEPS = 1_000;
const MOST_ROUNDS = 3;

const WAYS: Readonly<Record<string, (exchange: Exchange) => Promise<number>>> = {
  "bare sockets": exchangeThroughBareSockets,
  "lockstep, processes": exchangeBetweenProcesses,
  "lockstep, threads": exchangeBetweenThreads,
};

/** What a step costs that computes nothing, beside the same bytes through bare sockets: what lockstep's code adds. */
export async function exchangeSuite(bench: Bench): Promise<SuiteReport> {
  const measurements: Measurement[] = [];
  const { children } = bench;
  for (const workers of amountOf<readonly number[]>(bench, WORKERS, [1, 2])) {
    bench.say(`exchange with ${formatPlural(workers, "worker")}`);
    const exchange = {
      ...{ workers, children },
      warmUpSteps: amountOf(bench, WARM_UP_STEPS, QUICK_STEPS),
      steps: amountOf(bench, Math.max(LEAST_STEPS, STEPS / workers), QUICK_STEPS),
    };
    const candidates = Object.values(WAYS).map((way) => ({ measure: () => way(exchange) }));
    const figures = await takeTurns(candidates, roundsOf(bench, { most: MOST_ROUNDS, warmUps: 0 }));
    const labels = Object.keys(WAYS).map((through) => ({ workers, through }));
    measurements.push(...measurementsOf(labels, figures, 0));
  }
  return {
    suite: "exchange",
    title: "one step of workers that compute nothing",
    unit: "ms",
    baseline: "bare sockets",
    notes: ["A step sends 247 KB to each worker and 247 KB back."],
    measurements,
  };
}
