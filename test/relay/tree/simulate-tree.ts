import { Draws } from "../../chaos/draws.ts";
import { Course } from "../../chaos/simulation/course.ts";
import { scenarioOf } from "../../chaos/simulation/scenario.ts";
import { PERFECT, type Quality } from "../../chaos/simulation/wire.ts";
import { COORDINATOR_TIMEOUT_MS } from "../../chaos/simulation/worker-process.ts";
import { injectFault, networksOf, type TreeFault, treeFaultsFrom } from "./tree-faults.ts";
import { TreeWorld } from "./tree-world.ts";

const SCENARIOS = 16;
const MOST_TURNS_OF_CHAOS = 3_000;
const CALM_DELIVERIES = 0.8;
/** Longest time from the end of all disturbances to the result, beside that of a whole undisturbed run. */
const RECOVERY_MS = 30_000;
/** From the result to the end of the last: each level may have to find out that nobody is there above. */
const ENDING_MS = 5 * COORDINATOR_TIMEOUT_MS;
const TRACED_LINES = Number(process.env.TRACED_LINES ?? 150);

/** Where relays stand: of each the index of the one above it, -1 for the coordinator. */
const TREES: readonly (readonly number[])[] = [[-1], [-1, -1], [-1, 0], [-1, 0, 0], [-1, -1, 1], [-1, 0, 1]];

/** What came of one schedule. */
export interface SimulatedTree {
  readonly faults: ReadonlyMap<TreeFault, number>;
  /** Lines that tell of losses. */
  readonly losses: readonly string[];
}

interface Reference {
  readonly course: Course;
  readonly durationMs: number;
}

const references = new Map<number, Promise<Reference>>();

/** A star of a worker or two to which nothing happens, saved after each step. */
async function star(number: number): Promise<Reference> {
  const { config, dataset } = scenarioOf(number);
  const course = new Course();
  const world = new TreeWorld({ config: { ...config, checkpointEvery: 1 }, dataset }, course, new Draws(1), []);
  await toTheEnd(world, Infinity);
  if (world.result !== undefined) course.result(world.result);
  course.complete();
  return { course, durationMs: world.time.now };
}

/**
 * A run in a tree to which happens whatever `seed` says; then calm, until its end.
 * @throws Error that names the seed and tells what happened last, when anything is not as it is in a star undisturbed, is
 * too late or never ends
 */
export async function simulateTree(
  seed: number,
  { disturbed = true, sabotage = (_world: TreeWorld): void => {} } = {},
): Promise<SimulatedTree> {
  const number = seed % SCENARIOS;
  const known = references.get(number) ?? star(number);
  references.set(number, known);
  const { course, durationMs } = await known;
  const draws = new Draws(seed);
  const world = new TreeWorld(scenarioOf(number), course, draws, draws.pick(TREES));
  const faults = new Map<TreeFault, number>();
  try {
    for (const network of networksOf(world)) for (let i = draws.below(4); i > 0; i--) world.join(network);
    sabotage(world);
    world.watchesLosses = !disturbed;
    if (disturbed) await disturb(world, faults);
    world.note(() => "*** calm");
    world.calm();
    await toTheEnd(world, world.time.now + RECOVERY_MS + durationMs);
    if (world.result !== undefined) course.result(world.result);
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.stack : String(thrown);
    throw new Error(`tree ${seed} failed after\n${world.trace(TRACED_LINES)}\n${problem}`, { cause: thrown });
  }
  return { faults, losses: world.losses };
}

async function disturb(world: TreeWorld, faults: Map<TreeFault, number>): Promise<void> {
  const { draws } = world;
  const kinds = treeFaultsFrom(draws);
  const [deliveries, faultShare] = [draws.between(0.4, 0.95), 1 / 10 ** draws.between(1, 2.7)];
  const turns = draws.below(MOST_TURNS_OF_CHAOS);
  world.quality = qualityFrom(draws);
  for (let turn = 0; turn < turns && world.result === undefined; turn++) {
    if (kinds.length > 0 && draws.uniform() < faultShare) {
      const kind = draws.pick(kinds);
      const text = injectFault(world, kind);
      if (text !== undefined) {
        faults.set(kind, (faults.get(kind) ?? 0) + 1);
        world.note(() => `*** ${text}`);
      }
    }
    await world.turn(deliveries);
  }
  // The last things to be lost, with nobody left to lose what would have been said again.
  const lost = draws.pick([0, 0.3, 1]);
  for (const network of networksOf(world)) network.lose(() => draws.uniform() < lost);
}

async function toTheEnd(world: TreeWorld, latestMs: number): Promise<void> {
  const { time } = world;
  while (world.result === undefined) {
    keepGoing(world);
    if (time.now > latestMs) throw new Error(`there is no result ${RECOVERY_MS} ms after a whole run's time of calm`);
    await world.turn(CALM_DELIVERIES);
  }
  const resultAt = time.now;
  while (world.workers.length + world.relays.length > 0) {
    if (time.now - resultAt > ENDING_MS) {
      const left = [...world.workers, ...world.relays].map(({ name }) => name);
      throw new Error(`${left.join()} do not end`);
    }
    await world.turn(CALM_DELIVERIES);
  }
}

/** To the coordinator a relay is one worker, however many are below it; it may be the only one. */
function keepGoing(world: TreeWorld): void {
  const { draws, staying, scenario } = world;
  if (scenario.config.minWorkers > 1) {
    while (world.stayingAtRoot < scenario.config.minWorkers) world.join(world.root);
  } else if (staying.length === 0) world.join(draws.pick(networksOf(world)));
}

/** Mostly mild, at times wild; half of all schedules do without each kind of harm. */
function qualityFrom(draws: Draws): Quality {
  const often = (most: number): number => (draws.uniform() < 0.5 ? 0 : most * draws.uniform() ** 2);
  if (draws.uniform() < 0.4) return { ...PERFECT, latencyMs: often(100) };
  return {
    ...{ lost: often(0.2), repeated: often(0.5), overtaken: often(0.5), damaged: often(0.05) },
    latencyMs: often(100),
  };
}
