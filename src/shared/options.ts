/** Command-line options out of the tables in config.ts, and command-line mistakes as plain sentences. */

import { CommanderError, Option, type Command } from "commander";
import { COMMAND_OPTIONS, RECIPES, type CommandName, type OptionTable } from "./config.ts";
import { flagName } from "./config-resolve.ts";
import { describeOption } from "./config-values.ts";
import { LockstepError } from "./errors.ts";

/**
 * Adds all options and arguments of `name` to `command`, options under headings. Their values stay text: `loadConfig`
 * reads and checks them.
 */
export function addOptions(command: Command, name: CommandName): Command {
  const groups: Readonly<Record<string, OptionTable>> = COMMAND_OPTIONS[name];
  for (const [heading, table] of Object.entries(groups)) {
    for (const [key, schema] of Object.entries(table)) {
      const { placeholder, range, help, default: fallback, isArgument, isRequired } = describeOption(schema);
      const flag = flagName(key);
      if (isArgument === true) {
        command.argument(isRequired ? `<${placeholder}...>` : `[${placeholder}...]`, help);
      } else if (placeholder !== undefined) {
        const notes = [range, defaultText(key, fallback)].filter((note) => note !== undefined).join("; ");
        const description = notes === "" ? help : `${help} (${notes})`;
        command.addOption(new Option(`${flag} <${placeholder}>`, description).helpGroup(`${heading}:`));
      } else {
        const off = `--no-${flag.slice(2)}`;
        command.addOption(new Option(flag, `${help} (${off} turns it off)`).helpGroup(`${heading}:`));
        command.addOption(new Option(off).hideHelp());
      }
    }
  }
  const config = new Option("--config <FILE>", "JSON file with options under their names, such as batchSize");
  return command
    .addOption(config.helpGroup("General:"))
    .addHelpOption(new Option("-h, --help", "show this help").helpGroup("General:"))
    .addHelpText("after", SOURCES_HELP);
}

/** What the command line gave to `command`, parsed: flags and arguments, by key; only those that were given. */
export function givenValues(command: Command, name: CommandName): Record<string, unknown> {
  const groups: Readonly<Record<string, OptionTable>> = COMMAND_OPTIONS[name];
  const keys = Object.values(groups)
    .flatMap((table) => Object.entries(table))
    .filter(([, schema]) => describeOption(schema).isArgument === true)
    .map(([key]) => key);
  const words = keys.map((key, i) => [key, command.processedArgs[i] as readonly string[] | undefined] as const);
  return {
    ...command.opts(),
    ...Object.fromEntries(words.filter(([, given]) => given !== undefined && given.length > 0)),
  };
}

const SOURCES_HELP = `
Any option can also be an environment variable (LOCKSTEP_BATCH_SIZE for --batch-size) or a key of the
--config file (batchSize). A flag wins over the environment, then the file, a run that is resumed, the recipe
and the defaults.`;

/** Command lines to copy, each with what it does, at the end of a command's help. */
export function addExamples(command: Command, examples: readonly (readonly [line: string, what: string])[]): Command {
  const lines = examples.map(([line, what]) => `  ${line}\n      ${what}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/**
 * Parses `argv` (without node and script) and runs the action of the command it names; help and version are printed.
 *
 * @throws LockstepError `usage`, one sentence, for anything that the command line may not say; and whatever the action
 * throws
 */
export async function parseArguments(program: Command, argv: readonly string[]): Promise<void> {
  const subcommands = program.commands;
  for (const command of [program, ...subcommands]) {
    // Commander would print the mistake and exit; the caller prints the error instead.
    command.exitOverride().configureOutput({ writeErr: () => {} });
  }
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    const command = subcommands.find((subcommand) => subcommand.name() === argv[0]) ?? program;
    const path = command === program ? program.name() : `${program.name()} ${command.name()}`;
    throw new LockstepError("usage", `${sentence(error, command)}; see ${path} --help`);
  }
}

function sentence(error: CommanderError, command: Command): string {
  if (error.code === "commander.help")
    return `name a command: ${command.commands.map((each) => each.name()).join(", ")}`;
  if (error.code === "commander.excessArguments") return `unexpected argument '${command.args[0]}'`;
  // "error: unknown option '--epoch'\n(Did you mean --epochs?)"
  return error.message.replace(/^error: /, "").replace(/\n\(Did you mean (.*)\?\)$/, " (did you mean $1?)");
}

function defaultText(key: string, fallback: unknown): string | undefined {
  const parts = fallback === undefined ? [] : [`default: ${plain(fallback)}`];
  for (const [recipe, settings] of Object.entries(RECIPES)) {
    const value = (settings as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined && value !== fallback) parts.push(`${recipe} ${plain(value)}`);
  }
  return parts.length > 0 ? parts.join(", ") : undefined;
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
