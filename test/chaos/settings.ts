import { Command, InvalidArgumentError } from "commander";
import { FAULT_KINDS, type FaultKind, faultKindsOf, type Isolation, ISOLATIONS } from "./fault-kinds.ts";

/** The options of `npm run chaos`. */
export interface ChaosSettings {
  readonly minutes: number;
  readonly seed: number;
  readonly workers: number;
  readonly isolation: Isolation;
  readonly batchSize: number;
  readonly epochs: number;
  readonly limitTrain: number;
  readonly checkpointEvery: number;
  /** Mean time between two faults. */
  readonly everyS: number;
  readonly kinds: readonly FaultKind[];
  /** Instead of disturbing real processes: so many schedules in a made-up time, one for each seed from `seed` on; or 0. */
  readonly simulate: number;
  readonly keep: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
}

/** @throws CommanderError, having said why, for what is no option or no value of one */
export function parseSettings(argv: readonly string[]): ChaosSettings {
  const command = new Command("chaos")
    .description("disturbs training runs, and checks that they end with the weights of undisturbed ones")
    .option("--minutes <N>", "how long to go on; a run under way is finished", positive, 10)
    .option("--seed <N>", "decides what is done when, and the training's seed", whole(0), 1)
    .option("--workers <N>", "workers of each run", whole(1), 3)
    .option("--isolation <NAME>", `how they are kept apart: ${ISOLATIONS.join(", ")}`, isolation, "fleet")
    .option("--batch-size <N>", "samples in a step", whole(1), 64)
    .option("--epochs <N>", "passes of each run over its training images", whole(1), 30)
    .option("--limit-train <N>", "training images of each run", whole(1), 4_010)
    .option("--checkpoint-every <N>", "steps between two checkpoints", whole(1), 50)
    .option("--every-s <X>", "mean time between two faults, in seconds", positive, 2)
    .option("--only <KINDS>", `kinds of faults, with commas: ${Object.keys(FAULT_KINDS).join(", ")}`, kinds)
    .option(
      "--simulate <N>",
      "N schedules in a made-up time instead, from --seed on: thousands in minutes",
      whole(1),
      0,
    )
    .option("--keep", "keep the runs' folders even when all is well", false)
    .option("--quiet", "no line for each fault", false)
    .option("--json", "print the report as one JSON object, the last line on stdout", false)
    .allowExcessArguments(false);
  command.parse(argv, { from: "user" });
  const { only, ...options } = command.opts<Omit<ChaosSettings, "kinds"> & { readonly only?: FaultKind[] }>();
  const possible = faultKindsOf(options.isolation);
  const impossible = only?.find((kind) => !possible.includes(kind));
  if (impossible !== undefined) command.error(`error: no ${impossible} with --isolation ${options.isolation}`);
  return { ...options, kinds: only ?? possible };
}

const whole =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  };

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number above 0.");
}

function isolation(text: string): Isolation {
  const found = ISOLATIONS.find((name) => name === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It must be one of ${ISOLATIONS.join(", ")}.`);
}

function kinds(text: string): FaultKind[] {
  return text.split(",").map((kind) => {
    if (kind in FAULT_KINDS) return kind as FaultKind;
    throw new InvalidArgumentError(`There is no kind "${kind}".`);
  });
}
