import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Sabotage } from "../support/sabotage.ts";
import type { Arena } from "./faults.ts";
import { Leader } from "./leader.ts";
import { ChildVictims, ThreadVictims } from "./local-victims.ts";
import type { MarkedProcesses } from "./marked-processes.ts";
import { Network } from "./network.ts";
import type { ChaosSettings } from "./settings.ts";
import type { Variant } from "./variants.ts";
import { Waits } from "./waits.ts";
import { WorkerSlots } from "./worker-slots.ts";

export interface StageOptions {
  readonly settings: ChaosSettings;
  readonly variant: Variant;
  /** From 1. */
  readonly number: number;
  /** For this command's files. */
  readonly folder: string;
  readonly processes: MarkedProcesses;
  /** Whether the coordinator can record what happens. */
  readonly recordsEvents: boolean;
}

/** A run that has begun, and where it can be disturbed. */
interface Stage {
  readonly arena: Arena;
  /** Heals the network and lets no more workers be started. */
  readonly close: () => Promise<void>;
}

/** @param onViolation told when a worker ended as none should */
export async function beginRun(options: StageOptions, onViolation: (what: string) => void): Promise<Stage> {
  const { settings, variant, number, folder, processes, recordsEvents } = options;
  const { isolation, workers, limitTrain, batchSize, epochs, checkpointEvery } = settings;
  const name = `run-${number}-${variant.name}`;
  const runDir = join(folder, name);
  const waits = new Waits();
  const recording = (life: number): string[] =>
    recordsEvents ? ["--record-events", join(folder, `${name}-life-${life}.events.ndjson`)] : [];
  const lifeOptions = (life: number): string[] => [
    ...[...trainingOptions(settings, variant), "--run-dir", runDir, "--resume", "--log-every", "1000000"],
    ...["--checkpoint-every", String(checkpointEvery), ...recording(life)],
  ];
  const common = {
    waits,
    checkpoints: join(runDir, "checkpoints"),
    totalSteps: epochs * Math.ceil(limitTrain / batchSize),
  };
  if (isolation === "fleet") {
    const network = await Network.open(settings.seed, waits);
    const address = `tcp://127.0.0.1:${network.coordinatorPort}`;
    const leader = new Leader({
      waits,
      start: (life) => processes.start(["coordinator", "--listen", address, ...lifeOptions(life)]),
    });
    const slots = new WorkerSlots({
      ...{ count: workers, waits, onViolation },
      start: (slot) => processes.start(["worker", "--connect", network.addressFor(slot), "--quiet"]),
    });
    await leader.start();
    slots.start();
    const arena = { ...common, leader, victims: slots, network };
    const close = async (): Promise<void> => {
      network.heal();
      await slots.close();
      await network.close();
    };
    return { arena, close };
  }
  const sabotageFolder = join(folder, `${name}-orders`);
  mkdirSync(sabotageFolder);
  const sabotage = isolation === "thread" ? new Sabotage(sabotageFolder) : undefined;
  const train = ["train", "--isolation", isolation, "--workers", String(workers)];
  const leader = new Leader({
    waits,
    start: (life) => processes.start([...train, ...lifeOptions(life)], sabotage?.environment ?? {}),
  });
  await leader.start();
  const victims = sabotage === undefined ? new ChildVictims(leader, waits) : new ThreadVictims(leader, sabotage);
  return { arena: { ...common, leader, victims, network: undefined }, close: async () => {} };
}

/** The options of a variant's training, whoever trains. */
export function trainingOptions({ seed, epochs, limitTrain, batchSize }: ChaosSettings, variant: Variant): string[] {
  return [
    ...["--seed", String(seed), "--epochs", String(epochs), "--limit-train", String(limitTrain)],
    ...["--batch-size", String(batchSize), ...variant.options, "--metrics-port", "0", "--json"],
  ];
}
