import type { Passage } from "../../../src/shared/transport/memory.ts";
import type { Draws } from "../draws.ts";
import type { Link, WorkerProcess } from "./worker-process.ts";
import type { World } from "./world.ts";

/** Heartbeats notice a machine that has vanished after so long; a process that ends is noticed at once. */
const HEARTBEAT_TIMEOUT_MS = 4_000;

/** @returns what was done, as a line; undefined where it cannot be done now */
type Fault = (world: World) => string | undefined;

/** What can be done to a world. */
const FAULTS = {
  "worker-kill": (world) => {
    const worker = pick(world);
    if (worker === undefined) return undefined;
    const { peer } = worker.end;
    goUnnoticed(world, peer);
    world.killWorker(worker);
    later(world, 2_000, () => joinUnlessMany(world));
    return `${worker.name} is killed`;
  },
  "worker-join": (world) => {
    if (!joinUnlessMany(world)) return undefined;
    return "another worker comes";
  },
  "worker-leave": (world) => {
    const worker = pick(world);
    worker?.interrupt("SIGTERM");
    return worker && `${worker.name} is told to leave`;
  },
  "worker-freeze": (world) => {
    const worker = pick(world);
    if (worker === undefined) return undefined;
    const ms = duration(world, 12_000);
    worker.clock.frozen = true;
    world.clock.after(ms, () => (worker.clock.frozen = false));
    // Nobody answers heartbeats.
    if (ms > HEARTBEAT_TIMEOUT_MS) world.clock.after(HEARTBEAT_TIMEOUT_MS, () => worker.end.reconnect());
    return `${worker.name} is frozen for ${ms.toFixed(0)} ms`;
  },
  "worker-slow": (world) => {
    const worker = pick(world);
    if (worker === undefined) return undefined;
    worker.slowness = world.draws.pick([5, 50, 200]);
    const ms = later(world, 8_000, () => (worker.slowness = 1));
    return `${worker.name} is ${worker.slowness} times as slow for ${ms.toFixed(0)} ms`;
  },
  "worker-fail": (world) => {
    const worker = pick(world);
    if (worker === undefined) return undefined;
    worker.fails = true;
    later(world, 2_000, () => joinUnlessMany(world));
    return `the device of ${worker.name} fails`;
  },
  "connection-break": (world) => {
    const worker = pick(world);
    if (worker === undefined) return undefined;
    const { peer } = worker.end;
    world.loseLast("to-coordinator", peer);
    goUnnoticed(world, peer);
    worker.end.reconnect();
    return `the connection of ${worker.name} breaks: ${peer} becomes ${worker.end.peer}`;
  },
  partition: (world) => {
    const worker = pick(world);
    if (worker === undefined) return undefined;
    const directions = world.draws.pick<readonly Passage["direction"][]>([
      ...([["to-coordinator"], ["to-worker"]] as const),
      ["to-coordinator", "to-worker"],
    ]);
    const link = world.draws.pick<Link>(["lost", "held"]);
    for (const direction of directions) worker.link[direction] = link;
    const ms = later(world, 10_000, () => {
      for (const direction of directions) worker.link[direction] = "open";
    });
    return `what ${worker.name} exchanges (${directions.join(", ")}) is ${link} for ${ms.toFixed(0)} ms`;
  },
  "not-a-number": (world) => {
    const worker = pick(world);
    if (worker === undefined || !world.maySpoil) return undefined;
    worker.spoils = world.draws.pick([["dense"], ["conv"], ["dense", "conv"]] as const);
    return `${worker.name} computes a number that is not finite (${worker.spoils.join(", ")})`;
  },
  "coordinator-freeze": (world) => {
    const { coordinator } = world;
    if (coordinator === undefined || world.result !== undefined) return undefined;
    coordinator.clock.frozen = true;
    const ms = later(world, 8_000, () => (coordinator.clock.frozen = false));
    return `the coordinator is frozen for ${ms.toFixed(0)} ms`;
  },
  "coordinator-kill": (world) => {
    if (!mayRestart(world)) return undefined;
    world.killCoordinator();
    const ms = later(world, 5_000, () => world.startCoordinator());
    return `the coordinator is killed, and started again in ${ms.toFixed(0)} ms`;
  },
  "coordinator-interrupt": (world) => {
    if (!mayRestart(world)) return undefined;
    world.coordinator?.interrupt("SIGTERM");
    return "the coordinator is interrupted";
  },
  "use-workers": (world) => {
    if (world.coordinator === undefined || world.result !== undefined) return undefined;
    const count = 1 + world.draws.below(4);
    world.coordinator.useWorkers(count);
    return `${count} workers are to be used`;
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

/** How often each comes, beside the others. */
const WEIGHTS = {
  "worker-kill": 4,
  "worker-join": 3,
  "worker-leave": 3,
  "worker-freeze": 3,
  "worker-slow": 2,
  "worker-fail": 1,
  "connection-break": 4,
  partition: 4,
  "not-a-number": 1,
  "coordinator-freeze": 2,
  "coordinator-kill": 2,
  "coordinator-interrupt": 1,
  "use-workers": 1,
} as const satisfies Record<FaultName, number>;

/** Faults to draw from; a schedule has some kinds only, so that each can also meet itself again and again. */
export function faultsFrom(draws: Draws): FaultName[] {
  const names = (Object.keys(FAULTS) as FaultName[]).filter(() => draws.uniform() < 0.6);
  return names.flatMap((name) => Array.from({ length: WEIGHTS[name] }, () => name));
}

/** @returns what was done, as a line; undefined where it cannot be done now */
export function inject(world: World, name: FaultName): string | undefined {
  return FAULTS[name](world);
}

function pick(world: World): WorkerProcess | undefined {
  return world.staying.length === 0 ? undefined : world.draws.pick(world.staying);
}

/** A new life of the coordinator is costly to simulate. */
const MOST_LIVES = 4;

function mayRestart({ coordinator, result, lives }: World): boolean {
  return coordinator !== undefined && result === undefined && lives < MOST_LIVES;
}

function joinUnlessMany(world: World): boolean {
  if (world.result !== undefined || world.workers.length >= world.mostWorkers) return false;
  world.join();
  return true;
}

/** Short ones are as likely as long ones. @returns in ms, up to `longestMs` */
function duration({ draws }: World, longestMs: number): number {
  return longestMs ** draws.uniform();
}

/** @returns when, in ms from now */
function later(world: World, longestMs: number, action: () => void): number {
  const ms = duration(world, longestMs);
  world.clock.after(ms, action);
  return ms;
}

function goUnnoticed(world: World, peer: string): void {
  if (world.draws.uniform() < 0.3) world.wire.leaveUnnoticed(peer, HEARTBEAT_TIMEOUT_MS);
}
