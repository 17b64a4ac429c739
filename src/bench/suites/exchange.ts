import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { exchangeThroughBareSockets, exchangeThroughLockstep } from "../no-op-exchange.ts";
import { type Measurement, measurementsOf, type SuiteReport } from "../report.ts";
import { takeTurns } from "../rounds.ts";

const WORKERS = [1, 2, 4, 8, 16] as const;
/** Steps measured in a round, fewer with many workers: each of them sends and receives half a megabyte a step. */
const STEPS = 2_000;
const QUICK_STEPS = 50;
const MOST_ROUNDS = 5;

/** What a step costs that computes nothing, beside the same bytes through bare sockets: what lockstep's code adds. */
export async function exchangeSuite(bench: Bench): Promise<SuiteReport> {
  const measurements: Measurement[] = [];
  const { children } = bench;
  for (const workers of amountOf<readonly number[]>(bench, WORKERS, [1, 2])) {
    bench.say(`exchange with ${workers} ${workers === 1 ? "worker" : "workers"}`);
    const steps = Math.ceil(amountOf(bench, STEPS, QUICK_STEPS) / workers);
    const candidates = [
      { measure: () => exchangeThroughBareSockets({ workers, steps, children }) },
      { measure: () => exchangeThroughLockstep({ workers, steps, children }) },
    ];
    const figures = await takeTurns(candidates, roundsOf(bench, { most: MOST_ROUNDS, warmUps: 0 }));
    const labels = ["bare sockets", "lockstep"].map((through) => ({ workers, through }));
    measurements.push(...measurementsOf(labels, figures, 0));
  }
  return {
    suite: "exchange",
    title: "one step of workers that compute nothing, each in its own process, over ZeroMQ",
    unit: "ms",
    baseline: "bare sockets",
    notes: ["A step sends 247 KB to each worker and 247 KB back."],
    measurements,
  };
}
