import type { Draws } from "../../chaos/draws.ts";
import type { Link } from "../../chaos/simulation/worker-process.ts";
import type { Connected, TreeWorld } from "./tree-world.ts";
import type { RelayPlace } from "./relay-place.ts";

const MOST_WORKERS = 9;
const MOST_LIVES = 3;

/** @returns what was done, as a line; undefined where it cannot be done now */
type Fault = (world: TreeWorld) => string | undefined;

/** What can be done to a tree. */
const FAULTS = {
  "relay-kill": (world) => {
    const place = pickPlace(world);
    if (place === undefined) return undefined;
    world.killRelay(place);
    later(world, 4_000, () => restartRelay(world, place));
    return `${place.name} is killed`;
  },
  "relay-leave": (world) => {
    const place = pickPlace(world);
    if (place === undefined || place.process?.leaving === true) return undefined;
    place.process?.interrupt("SIGTERM");
    world.clock.after(8_000, () => restartRelay(world, place));
    return `${place.name} is told to leave`;
  },
  "worker-kill": (world) => {
    const worker = pickWorker(world);
    if (worker === undefined) return undefined;
    const network = world.networkOf(worker);
    world.killWorker(worker);
    later(world, 2_000, () => joinUnlessMany(world, network));
    return `${worker.name} is killed`;
  },
  "worker-join": (world) => (joinUnlessMany(world) ? "another worker comes" : undefined),
  "worker-leave": (world) => {
    const worker = pickWorker(world);
    worker?.interrupt("SIGTERM");
    return worker && `${worker.name} is told to leave`;
  },
  "worker-fail": (world) => {
    const worker = pickWorker(world);
    if (worker === undefined) return undefined;
    worker.fails = true;
    later(world, 2_000, () => joinUnlessMany(world, world.networkOf(worker)));
    return `the device of ${worker.name} fails`;
  },
  "worker-slow": (world) => {
    const worker = pickWorker(world);
    if (worker === undefined) return undefined;
    worker.slowness = world.draws.pick([5, 50, 200]);
    later(world, 8_000, () => (worker.slowness = 1));
    return `${worker.name} is slow`;
  },
  freeze: (world) => {
    const each = pickAny(world);
    if (each === undefined) return undefined;
    each.clock.frozen = true;
    const ms = later(world, 12_000, () => (each.clock.frozen = false));
    if (ms > 4_000) world.clock.after(4_000, () => each.end.reconnect());
    return `${each.name} is frozen for ${ms.toFixed(0)} ms`;
  },
  "connection-break": (world) => {
    const each = pickAny(world);
    each?.end.reconnect();
    return each && `the connection of ${each.name} breaks`;
  },
  partition: (world) => {
    const each = pickAny(world);
    if (each === undefined) return undefined;
    const directions = world.draws.pick([["to-coordinator"], ["to-worker"], ["to-coordinator", "to-worker"]] as const);
    const link = world.draws.pick<Link>(["lost", "held"]);
    for (const direction of directions) each.link[direction] = link;
    later(world, 10_000, () => {
      for (const direction of directions) each.link[direction] = "open";
    });
    return `what ${each.name} exchanges (${directions.join()}) is ${link}`;
  },
  "not-a-number": (world) => {
    const worker = pickWorker(world);
    if (worker === undefined || !world.maySpoil) return undefined;
    worker.spoils = world.draws.pick([["dense"], ["conv"], ["dense", "conv"]] as const);
    return `${worker.name} computes a number that is not finite`;
  },
  garbage: (world) => {
    const each = pickAny(world);
    const network = each && world.networkOf(each);
    if (each === undefined || network === undefined) return undefined;
    world.sendGarbage(network, each);
    return `${each.name} sends garbage`;
  },
  "coordinator-kill": (world) => {
    if (world.coordinator === undefined || world.result !== undefined || world.lives >= MOST_LIVES) return undefined;
    world.killCoordinator();
    later(world, 5_000, () => world.startCoordinator());
    return "the coordinator is killed";
  },
} as const satisfies Record<string, Fault>;

export type TreeFault = keyof typeof FAULTS;

/** Faults to draw from; a schedule has some kinds only, so that each can also meet itself again and again. */
export function treeFaultsFrom(draws: Draws): TreeFault[] {
  return (Object.keys(FAULTS) as TreeFault[]).filter(() => draws.uniform() < 0.6);
}

export function injectFault(world: TreeWorld, fault: TreeFault): string | undefined {
  return FAULTS[fault](world);
}

const pickWorker = ({ draws, staying }: TreeWorld) => (staying.length === 0 ? undefined : draws.pick(staying));

function pickPlace({ draws, places }: TreeWorld): RelayPlace | undefined {
  const alive = places.filter(({ process }) => process !== undefined);
  return alive.length === 0 ? undefined : draws.pick(alive);
}

function pickAny({ draws, staying, relays }: TreeWorld): Connected | undefined {
  const all = [...staying, ...relays, ...relays];
  return all.length === 0 ? undefined : draws.pick(all);
}

function restartRelay(world: TreeWorld, place: RelayPlace): void {
  if (world.result === undefined) world.startRelay(place);
}

function joinUnlessMany(world: TreeWorld, network = world.draws.pick(networksOf(world))): boolean {
  if (world.result !== undefined || world.workers.length >= MOST_WORKERS) return false;
  world.join(network);
  return true;
}

export const networksOf = ({ root, places }: TreeWorld) => [root, ...places.map(({ below }) => below)];

/** Short ones are as likely as long ones. @returns when, in ms from now, up to `longestMs` */
function later({ draws, clock }: TreeWorld, longestMs: number, action: () => void): number {
  const ms = longestMs ** draws.uniform();
  clock.after(ms, action);
  return ms;
}
