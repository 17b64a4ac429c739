import { adamFactors } from "../../coordinator/adam.ts";
import { ModelState } from "../../coordinator/model-state.ts";
import { CONTRIBUTION_COUNT, SLICE_NAMES, SLICES } from "../../shared/model/contribution.ts";
import { initialState } from "../../shared/model/initialise.ts";
import { PARAMETER_COUNT } from "../../shared/model/lenet5.ts";
import { PartialSums } from "../../shared/reduction/partial-sums.ts";
import { type Vector, VectorMemory } from "../../shared/vector/vector-memory.ts";
import { privatePool } from "../../shared/vector/vector-pool.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { type Labels, measurementsOf, type SuiteReport } from "../report.ts";
import { type Candidate, takeTurns } from "../rounds.ts";
import { microsecondsOf } from "../stopwatch.ts";

const PARTIAL_SUMS = [1, 2, 4, 8, 16] as const;
const REPETITIONS = 500;
const QUICK_REPETITIONS = 20;
const LEARNING_RATE = Math.fround(0.001);

/** What the coordinator does with the numbers of one step. */
export async function reduceSuite(bench: Bench): Promise<SuiteReport> {
  bench.say("the reduction tree and Adam");
  const repetitions = amountOf(bench, REPETITIONS, QUICK_REPETITIONS);
  const labels: Labels[] = [];
  const candidates: Candidate[] = [];
  const add = (work: string, partialSums: number | "", action: () => void): void => {
    labels.push({ work, "partial sums": partialSums });
    candidates.push({ measure: () => microsecondsOf(action, repetitions) });
  };
  for (const count of PARTIAL_SUMS) add("tree", count, treeOf(count));
  add("Adam", "", adam());
  add("Adam, statistics, average", "", wholeUpdate());
  const measurements = measurementsOf(labels, await takeTurns(candidates, roundsOf(bench)));
  return { suite: "reduce", title: "adding up and applying a step", unit: "µs", notes: [], measurements };
}

/** Adds so many whole contributions along the tree. */
function treeOf(count: number): () => void {
  const memory = new VectorMemory();
  const sums = new PartialSums(memory, privatePool(memory, CONTRIBUTION_COUNT));
  return () => {
    sums.reset(count);
    for (let index = 0; index < count; index++) sums.add({ level: 0, index }, sums.borrow());
    sums.total();
  };
}

/** Adam alone, over all parameters. */
function adam(): () => void {
  const memory = new VectorMemory();
  const moments = () => ({
    p: memory.allocate(PARAMETER_COUNT),
    m: memory.allocate(PARAMETER_COUNT),
    v: memory.allocate(PARAMETER_COUNT),
  });
  const [old, next] = [moments(), moments()];
  const gradient = constantVector(memory, PARAMETER_COUNT);
  const factors = adamFactors(LEARNING_RATE, 1);
  return () => memory.adam(old, gradient, next, PARAMETER_COUNT, factors);
}

/** All that a step changes: both slices by Adam, running statistics, the weights' average. */
function wholeUpdate(): () => void {
  const memory = new VectorMemory();
  const model = new ModelState(memory, initialState(1), 0.998);
  const sums = {
    dense: constantVector(memory, SLICES.dense.contributionLength),
    conv: constantVector(memory, SLICES.conv.contributionLength),
  };
  return () => {
    for (const slice of SLICE_NAMES) model.applySlice(slice, sums[slice], LEARNING_RATE);
    model.commit();
  };
}

function constantVector(memory: VectorMemory, length: number): Vector {
  const vector = memory.allocate(length);
  vector.values.fill(0.001);
  return vector;
}
