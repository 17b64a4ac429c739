/** Turns option values from several sources into one checked configuration. Pure: reads no file and no environment. */

import { z } from "zod";
import { COMMAND_SCHEMAS, conflict, RECIPES, type CommandConfig, type CommandName } from "./config.ts";
import { describeOption } from "./config-values.ts";
import { LockstepError } from "./errors.ts";

/** Option values from one source, by key, and how that source writes a key: `--batch-size`, `LOCKSTEP_BATCH_SIZE`. */
export interface ConfigLayer {
  readonly values: Readonly<Record<string, unknown>>;
  readonly nameOf: (key: string) => string;
}

/**
 * The configuration of `command`: for each option the value of the first layer that has it, else the recipe's, else the
 * default. Keys that the command does not know are ignored (a layer that must not have any checks that itself).
 *
 * @throws LockstepError `usage`, with a line for each bad option: its name in its source, the value, what is allowed.
 */
export function resolveConfig<Command extends CommandName>(
  command: Command,
  layers: readonly ConfigLayer[],
): CommandConfig<Command> {
  const shape: Readonly<Record<string, z.ZodType>> = COMMAND_SCHEMAS[command].shape;
  const problems: string[] = [];
  const layerOf = (key: string) => layers.find((layer) => layer.values[key] !== undefined);
  const nameOf = (key: string) => layerOf(key)?.nameOf(key) ?? flagName(key);

  const read = (key: string, schema: z.ZodType, fallback: unknown): unknown => {
    const layer = layerOf(key);
    const value = layer ? layer.values[key] : fallback;
    if (value === undefined && schema instanceof z.ZodExactOptional) return undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const { allowed, isArgument, placeholder } = describeOption(schema);
    const argument = isArgument === true ? placeholder : undefined;
    problems.push(
      value === undefined
        ? `${argument ?? flagName(key)} is required; allowed: ${allowed}`
        : `${argument ?? nameOf(key)} is ${shown(value)}; allowed: ${allowed}`,
    );
    return undefined;
  };

  const recipeName = shape.recipe && (read("recipe", shape.recipe, undefined) as keyof typeof RECIPES | undefined);
  const recipe: Readonly<Record<string, unknown>> = RECIPES[recipeName ?? "seed"];
  const config: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(shape)) {
    const value =
      key === "recipe"
        ? recipeName
        : key === "metricsPortExplicit"
          ? layerOf("metricsPort") !== undefined
          : read(key, schema, recipe[key]);
    if (value !== undefined) config[key] = value;
  }
  if (problems.length === 0) {
    const problem = conflict(config, nameOf);
    if (problem) problems.push(problem);
  }
  if (problems.length > 0) throw new LockstepError("usage", problems.join("\n"));
  return config as CommandConfig<Command>;
}

/**
 * The configuration of `command` with the options given in code, as by users of the library.
 *
 * @throws LockstepError `usage` that names the option as `epochs`.
 */
export function configFrom<Command extends CommandName>(
  command: Command,
  options: { readonly [Key in keyof CommandConfig<Command>]?: CommandConfig<Command>[Key] | undefined },
): CommandConfig<Command> {
  return resolveConfig(command, [{ values: options, nameOf: (key) => key }]);
}

/** `batchSize` -> `--batch-size` */
export function flagName(key: string): string {
  return `--${separated(key, "-")}`;
}

/** `batchSize` -> `LOCKSTEP_BATCH_SIZE` */
export function environmentName(key: string): string {
  return `LOCKSTEP_${separated(key, "_").toUpperCase()}`;
}

/** As JSON, but NaN and Infinity as themselves. */
function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function separated(key: string, separator: string): string {
  return key.replaceAll(/[A-Z]/g, (capital) => separator + capital.toLowerCase());
}
