import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "prettier";
import type { z } from "zod";
import { environmentName, flagName } from "../../src/shared/config-resolve.ts";
import { describeOption } from "../../src/shared/config-values.ts";
import { COMMAND_OPTIONS, type CommandName, type OptionTable, RECIPES } from "../../src/shared/config.ts";

/** docs/REFERENCE.md, made of the tables that the command line itself is made of. */

export const REFERENCE = fileURLToPath(new URL("../../docs/REFERENCE.md", import.meta.url));
/** As text: it acts when it is imported. */
const CLI = readFileSync(new URL("../../src/cli.ts", import.meta.url), "utf8");

/** The whole file, as Prettier leaves it. */
export function referenceText(): Promise<string> {
  const commands = Object.keys(COMMAND_OPTIONS) as CommandName[];
  const list = commands.map((name) => `| [${name}](#lockstep-${name}) | ${escaped(descriptionOf(name))} |`);
  const text = [
    HEAD,
    ["| command | what it does |", "| --- | --- |", ...list].join("\n"),
    ...commands.map((name) => section(name)),
  ];
  return format(text.join("\n\n"), { parser: "markdown", printWidth: 120 });
}

const HEAD = `# Options

<!-- Made by \`npm run reference\` from src/shared/option-tables and src/cli.ts: change those. -->

Every command with all its options. \`npx lockstep COMMAND --help\` shows the same on a terminal.

Any option can also be given by its environment variable, or by its key in a JSON file that \`--config FILE\`, or
\`LOCKSTEP_CONFIG\`, names; the key of \`--batch-size\` is \`batchSize\`. A flag wins over the environment, then the file, then
the run that is resumed, the recipe and the default. In the environment a switch is \`true\` or \`false\`. Recipes are sets of
values for options of training: a default is followed by what the recipes have instead.

What the metrics are called is in [METRICS.md](METRICS.md), what exit codes mean in the [README](../README.md#exit-codes).`;

function section(name: CommandName): string {
  const groups: Readonly<Record<string, OptionTable>> = COMMAND_OPTIONS[name];
  const tables = Object.entries(groups).map(([heading, table]) => optionTable(heading, Object.entries(table)));
  return [`## lockstep ${name}`, descriptionOf(name), ...tables].join("\n\n");
}

function optionTable(heading: string, options: readonly (readonly [string, z.ZodType])[]): string {
  const rows = options.map(([key, schema]) => `| ${row(key, schema).map(escaped).join(" | ")} |`);
  return [
    `**${heading}**`,
    ["| option | allowed | default | variable | what it does |", "| --- | --- | --- | --- | --- |", ...rows].join("\n"),
  ].join("\n\n");
}

function row(key: string, schema: z.ZodType): string[] {
  const { placeholder, allowed, help, default: fallback, isArgument, isRequired } = describeOption(schema);
  if (isArgument === true) return [`\`${placeholder}...\``, allowed, isRequired ? "required" : "none", "none", help];
  const flag = flagName(key);
  const isSwitch = placeholder === undefined;
  return [
    isSwitch ? `\`${flag}\`, \`--no-${flag.slice(2)}\`` : `\`${flag} ${placeholder}\``,
    isSwitch ? "on or off" : allowed,
    isRequired ? "required" : defaultText(key, isSwitch ? (fallback === true ? "on" : "off") : fallback),
    `\`${environmentName(key)}\``,
    help,
  ];
}

function defaultText(key: string, fallback: unknown): string {
  const others = Object.entries(RECIPES).flatMap(([recipe, settings]) => {
    const value = (settings as Readonly<Record<string, unknown>>)[key];
    return value === undefined || value === fallback ? [] : [`${recipe}: ${shown(value === true ? "on" : value)}`];
  });
  return [fallback === undefined ? "none" : shown(fallback), ...others].join("; ");
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `\`${value.join()}\``;
  return value === "on" || value === "off" ? value : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function descriptionOf(name: CommandName): string {
  const found = new RegExp(`addCommand\\(\\s*"${name}",\\s*"([^"]+)"`).exec(CLI)?.[1];
  if (found === undefined) throw new Error(`src/cli.ts has no addCommand("${name}", "what it does", ...)`);
  return found;
}

/** A bar would end the cell. */
function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}
