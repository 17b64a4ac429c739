/** Gathers a command's option values from its flags, the environment and a `--config` file. */

import { readFileSync } from "node:fs";
import { COMMAND_SCHEMAS, type CommandConfig, type CommandName } from "./config.ts";
import { environmentName, flagName, resolveConfig, type ConfigLayer } from "./config-resolve.ts";
import { LockstepError, messageOf, systemCode } from "./errors.ts";
import { suggest } from "./suggest.ts";

/**
 * The configuration of `command`. Flags win over the environment, which wins over the file named by `--config` or
 * `LOCKSTEP_CONFIG`, which wins over the recipe, which wins over the defaults.
 *
 * @param flags what the user wrote on the command line, by key (`batchSize`), as text; switches as booleans
 * @throws LockstepError `usage`, one line for each problem
 */
export function loadConfig<Command extends CommandName>(
  command: Command,
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): CommandConfig<Command> {
  const keys = Object.keys(COMMAND_SCHEMAS[command].shape).filter((key) => key !== "metricsPortExplicit");
  const layers: ConfigLayer[] = [
    { values: flags, nameOf: flagName },
    {
      values: Object.fromEntries(keys.map((key) => [key, environment[environmentName(key)]])),
      nameOf: environmentName,
    },
  ];
  const file = flags.config ?? environment[environmentName("config")];
  if (typeof file === "string") layers.push(readConfigFile(file, keys));
  return resolveConfig(command, layers);
}

const ALL_KEYS: ReadonlySet<string> = new Set(
  Object.values(COMMAND_SCHEMAS)
    .flatMap((schema) => Object.keys(schema.shape))
    .filter((key) => key !== "metricsPortExplicit"),
);

/** A sentence for each variable that looks like an option and is none. */
export function strangeVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = ["config", ...ALL_KEYS].map(environmentName);
  return Object.keys(environment)
    .filter((name) => name.startsWith(environmentName("")) && !known.includes(name))
    .map((name) => {
      const nearest = suggest(name, known);
      return `${name} is not an option${nearest ? `; did you mean ${nearest}?` : ""}`;
    });
}

/** A JSON object with option values under their keys, such as the `config.json` of an earlier run. */
function readConfigFile(path: string, keys: readonly string[]): ConfigLayer {
  const nameOf = (key: string) => `${path}: ${key}`;
  const refuse = (problem: string) => new LockstepError("usage", `config file ${path} ${problem}`);
  let content: string;
  try {
    // Some editors begin a file with a mark of its byte order, which JSON does not allow.
    content = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw refuse(readProblem(error));
  }
  let values: unknown;
  try {
    values = JSON.parse(content);
  } catch (error) {
    throw refuse(`is not JSON (${messageOf(error).replaceAll(/\s+/g, " ")})`);
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    const found = Array.isArray(values) ? "an array" : values === null ? "null" : `a ${typeof values}`;
    throw refuse(`holds ${found}; allowed: a JSON object such as {"epochs": 4}`);
  }
  // What another command knows is passed over: a file may serve several.
  const unknown = Object.keys(values).filter((key) => !keys.includes(key) && !ALL_KEYS.has(key));
  if (unknown.length > 0) {
    throw new LockstepError("usage", unknown.map((key) => `${nameOf(key)} is ${unknownKey(key, keys)}`).join("\n"));
  }
  return { values: Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key))), nameOf };
}

function unknownKey(key: string, keys: readonly string[]): string {
  const nearest = suggest(key, keys);
  return nearest ? `not an option; did you mean ${nearest}?` : `not an option; allowed: ${keys.join(", ")}`;
}

function readProblem(error: unknown): string {
  const code = systemCode(error);
  if (code === "ENOENT") return "does not exist";
  if (code === "EISDIR") return "is a folder; allowed: a JSON file";
  return `cannot be read: ${messageOf(error)}`;
}
