import { Draws } from "../draws.ts";
import { Course } from "./course.ts";
import { type FaultName, faultsFrom, inject } from "./faults.ts";
import { scenarioOf, type Scenario } from "./scenario.ts";
import { PERFECT, type Quality } from "./wire.ts";
import { COORDINATOR_TIMEOUT_MS } from "./worker-process.ts";
import { World } from "./world.ts";

/** Runs are not many, since each must be made undisturbed as well; what happens to them is another thing each time. */
const SCENARIOS = 16;
const MOST_TURNS_OF_CHAOS = 2_500;
const CALM_DELIVERIES = 0.7;
/** Longest time from the end of all disturbances to the result, beside that of a whole undisturbed run. */
const RECOVERY_MS = 15_000;
/** Longest time from the result to the end of the last worker, who may have to find out that nobody is there. */
const ENDING_MS = COORDINATOR_TIMEOUT_MS + 5_000;
const TRACED_LINES = 120;

/** What came of one schedule. All times in ms of the world's time. */
export interface Simulated {
  /** How often each was done. */
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly turns: number;
  /** Of the coordinator. */
  readonly lives: number;
  readonly disturbedMs: number;
  /** From the end of all disturbances to the result; below 0 where that came before. */
  readonly recoveryMs: number;
}

interface Reference {
  readonly course: Course;
  readonly durationMs: number;
}

const references = new Map<number, Promise<Reference>>();

/**
 * A training run in a made-up world, to which happens whatever `seed` says; then calm, until its end.
 *
 * @param sabotage is done to the world before anything happens
 * @throws Error that names the seed and tells what happened last, when anything is not as it was undisturbed, is too
 * late or never ends
 */
export async function simulate(seed: number, sabotage: (world: World) => void = () => {}): Promise<Simulated> {
  const number = seed % SCENARIOS;
  const scenario = scenarioOf(number);
  const known = references.get(number) ?? undisturbed(scenario);
  references.set(number, known);
  const reference = await known;
  const world = new World(scenario, reference.course, new Draws(seed));
  try {
    return await disturbed(world, reference, sabotage);
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.stack : String(thrown);
    throw new Error(`simulation ${seed} failed after\n${world.trace(TRACED_LINES)}\n${problem}`, { cause: thrown });
  }
}

/** The same run with a worker or two to which nothing happens, saved after each step. */
async function undisturbed({ config, dataset }: Scenario): Promise<Reference> {
  const course = new Course();
  const world = new World({ config: { ...config, checkpointEvery: 1 }, dataset }, course, new Draws(1));
  await toTheEnd(world, Infinity);
  if (world.result !== undefined) course.result(world.result);
  course.complete();
  return { course, durationMs: world.time.now };
}

async function disturbed(world: World, reference: Reference, sabotage: (world: World) => void): Promise<Simulated> {
  const { draws, time } = world;
  const kinds = faultsFrom(draws);
  const [deliveries, faultShare] = [draws.between(0.3, 0.95), 1 / 10 ** draws.between(1, 2.7)];
  const turns = draws.below(MOST_TURNS_OF_CHAOS);
  world.wire.quality = qualityFrom(draws);
  for (let joining = 1 + draws.below(world.mostWorkers); joining > 0; joining--) world.join();
  sabotage(world);
  const faults = new Map<FaultName, number>();
  let turn = 0;
  for (; turn < turns && world.result === undefined; turn++) {
    if (kinds.length > 0 && draws.uniform() < faultShare) {
      const kind = draws.pick(kinds);
      const text = inject(world, kind);
      if (text !== undefined) {
        faults.set(kind, (faults.get(kind) ?? 0) + 1);
        world.note(() => `*** ${text}`);
      }
    }
    await world.turn(deliveries);
  }
  // The last things to be lost, with nobody left to lose what would have been said again.
  const lost = draws.pick([0, 0.3, 1]);
  world.network.lose(() => draws.uniform() < lost);
  const disturbedMs = time.now;
  world.note(() => "*** calm");
  world.calm();
  const resultAt = await toTheEnd(world, disturbedMs + RECOVERY_MS + reference.durationMs);
  if (world.result !== undefined) reference.course.result(world.result);
  if (world.wire.damaged === 0 && world.malformed > 0) throw new Error("something was malformed, and nothing damaged");
  return { faults, turns: turn, lives: world.lives, disturbedMs, recoveryMs: resultAt - disturbedMs };
}

/**
 * Goes on until the run has its result and all workers have ended.
 * @param latestMs by when there must be a result
 * @returns when there was one
 */
async function toTheEnd(world: World, latestMs: number): Promise<number> {
  const { time } = world;
  while (world.result === undefined) {
    while (world.staying.length < world.scenario.config.minWorkers) world.join();
    if (time.now > latestMs) throw new Error(`there is no result ${RECOVERY_MS} ms after a whole run's time of calm`);
    await world.turn(CALM_DELIVERIES);
  }
  const resultAt = time.now;
  while (world.workers.length > 0) {
    if (time.now - resultAt > ENDING_MS) throw new Error(`${world.workers.length} workers do not end`);
    await world.turn(CALM_DELIVERIES);
  }
  await world.end();
  return resultAt;
}

/** Mostly mild, at times wild; half of all schedules do without each kind of harm. */
function qualityFrom(draws: Draws): Quality {
  const often = (most: number): number => (draws.uniform() < 0.5 ? 0 : most * draws.uniform() ** 2);
  if (draws.uniform() < 0.4) return { ...PERFECT, latencyMs: often(200) };
  return {
    ...{ lost: often(0.3), repeated: often(0.6), overtaken: often(0.6), damaged: often(0.1) },
    latencyMs: often(200),
  };
}
