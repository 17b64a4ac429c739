/** Reads option values from a JSON file. */

import { readFileSync } from "node:fs";
import type { z } from "zod";
import { COMMAND_SCHEMAS, type CommandName } from "./config.ts";
import type { ConfigLayer } from "./config-resolve.ts";
import { describeOption } from "./config-values.ts";
import { LockstepError, messageOf, systemCode } from "./errors.ts";
import { suggest } from "./suggest.ts";

/** The options of a command, by key. What stands on the command line by its place is none. */
export function optionKeys(command: CommandName): string[] {
  const shape: Readonly<Record<string, z.ZodType>> = COMMAND_SCHEMAS[command].shape;
  const isOption = ([key, schema]: [string, z.ZodType]) =>
    key !== "metricsPortExplicit" && describeOption(schema).isArgument !== true;
  return Object.entries(shape)
    .filter(isOption)
    .map(([key]) => key);
}

/** The options of all commands, by key. */
export const ALL_KEYS: ReadonlySet<string> = new Set(
  (Object.keys(COMMAND_SCHEMAS) as CommandName[]).flatMap((command) => optionKeys(command)),
);

/**
 * A JSON object with option values under their keys, such as the `config.json` of an earlier run. What another command
 * knows is passed over: a file may serve several.
 *
 * @throws LockstepError `usage` when it cannot be read, is no such object, or holds what no command knows
 */
export function readConfigFile(path: string, command: CommandName): ConfigLayer {
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
  const keys = optionKeys(command);
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
