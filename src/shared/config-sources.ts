/** Gathers a command's option values from its flags, the environment, a `--config` file and the run to resume. */

import { type CommandConfig, type CommandName } from "./config.ts";
import { ALL_KEYS, optionKeys, readConfigFile } from "./config-file.ts";
import { environmentName, flagName, resolveConfig, type ConfigLayer } from "./config-resolve.ts";
import { withResumedRun } from "./config-resumed.ts";
import { suggest } from "./suggest.ts";

/**
 * The configuration of `command`. Flags win over the environment, which wins over the file named by `--config` or
 * `LOCKSTEP_CONFIG`, which wins over the run that `--resume` goes on with, then the recipe, then the defaults.
 *
 * @param flags what the user wrote on the command line, by key (`batchSize`), as text; switches as booleans
 * @throws LockstepError `usage`, one line for each problem
 */
export function loadConfig<Command extends CommandName>(
  command: Command,
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): CommandConfig<Command> {
  const keys = optionKeys(command);
  const layers: ConfigLayer[] = [
    { values: flags, nameOf: flagName },
    {
      values: Object.fromEntries(keys.map((key) => [key, environment[environmentName(key)]])),
      nameOf: environmentName,
    },
  ];
  const file = flags.config ?? environment[environmentName("config")];
  if (typeof file === "string") layers.push(readConfigFile(file, command));
  return resolveConfig(command, withResumedRun(command, layers));
}

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
