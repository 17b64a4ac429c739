/** Which options of runs are compared, and which of them differ. Pure. */

import { describeOption } from "../shared/config-values.ts";
import { COMMAND_SCHEMAS, DECISIVE_OPTIONS, OPTIONS_OF_ONE_START } from "../shared/config.ts";

type Options = Readonly<Record<string, unknown>>;

const SHAPE = COMMAND_SCHEMAS.train.shape;

/**
 * A recipe is seen in what it sets, an engine in what computed; the others are about one start, or about what is kept and
 * shown of it.
 */
const NOT_COMPARED: readonly string[] = [
  ...OPTIONS_OF_ONE_START,
  ...[
    "recipe",
    "engine",
    "metricsPortExplicit",
    "logEvery",
    "checkpointEvery",
    "keepCheckpoints",
    "minWorkers",
    "joinTimeoutS",
  ],
];

/** In the order in which help lists them: what decides the weights first. */
const COMPARED: readonly string[] = Object.keys(SHAPE).filter((key) => !NOT_COMPARED.includes(key));

/** Those without a value are others than those with any. */
const MEANT_WITHOUT: readonly string[] = [...DECISIVE_OPTIONS, "data"];

/** What `config.json` holds of them; a decisive one that an older lockstep did not know has its default. */
export function comparedOptions(config: Options): Record<string, unknown> {
  const entries = COMPARED.map((key) => [key, config[key] ?? fallbackOf(key)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, unknown>;
}

/** Keys of those that are not the same in all runs that have them: a coordinator knows no options of workers. */
export function differingOptions(all: readonly Options[]): string[] {
  return COMPARED.filter((key) => {
    const values = all.map((options) => options[key]);
    const compared = MEANT_WITHOUT.includes(key) ? values : values.filter((value) => value !== undefined);
    return new Set(compared.map((value) => JSON.stringify(value))).size > 1;
  });
}

/** A value as one would write it behind its flag, in six digits; a dash where the run does not have it. */
export function optionText(value: unknown): string {
  if (value === undefined) return "-";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return typeof value === "string" ? value : JSON.stringify(value);
}

function fallbackOf(key: string): unknown {
  return MEANT_WITHOUT.includes(key) ? describeOption(SHAPE[key as keyof typeof SHAPE]).default : undefined;
}
