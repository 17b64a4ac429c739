/** The kinds of value an option can have: each reads text strictly and says in one phrase what it allows. */

import { z } from "zod";
import { isKeyName } from "./keys/key-text.ts";

/** What help and error messages say about the values of one option. */
interface ValueInfo {
  /** The value's name in help, `N` in `--epochs <N>`; absent for a switch. */
  readonly placeholder?: string;
  /** Completes "allowed: ..." in an error message. */
  readonly allowed: string;
  /** The same in a few words for help, where the placeholder does not already say it. */
  readonly range?: string;
  /** Given by its place on the command line, without a flag: neither the environment nor a file can hold it. */
  readonly isArgument?: true;
}

const valueInfo = z.registry<ValueInfo>();

/** A whole number from `min` to `max`, in plain decimal notation when it comes as text: no `1e3`, `0x10` or ` 5`. */
export function integer(min: number, max: number, placeholder = "N") {
  const allowed = `a whole number from ${min} to ${max}`;
  const number = z.number({ error: allowed }).int({ error: allowed }).min(min, allowed).max(max, allowed);
  return z.preprocess(integerFromText, number).register(valueInfo, { placeholder, allowed, range: `${min} to ${max}` });
}

/** Like `integer`, and the word `auto` besides. */
export function integerOrAuto(min: number, max: number) {
  const allowed = `auto or a whole number from ${min} to ${max}`;
  const number = z.number().int().min(min).max(max);
  return z
    .preprocess(integerFromText, z.union([number, z.literal("auto")], { error: allowed }))
    .register(valueInfo, { placeholder: "N|auto", allowed, range: `${min} to ${max}` });
}

/** A finite number above 0 and up to `max`; as text `0.004`, `.004` or `4e-3`. */
export function positiveNumber(max: number) {
  const allowed = `a number above 0 and at most ${max}, such as 0.001 or 1e-3`;
  const number = z.number({ error: allowed }).positive(allowed).max(max, allowed);
  return z
    .preprocess(decimalFromText, number)
    .register(valueInfo, { placeholder: "X", allowed, range: `at most ${max}` });
}

/** A finite number from `min` to `max`; as text `0.5`, `.5` or `5e-1`. */
export function decimal(min: number, max: number) {
  const allowed = `a number from ${min} to ${max}, such as 0.05`;
  const number = z.number({ error: allowed }).min(min, allowed).max(max, allowed);
  return z
    .preprocess(decimalFromText, number)
    .register(valueInfo, { placeholder: "X", allowed, range: `${min} to ${max}` });
}

/** A number from 0 up to, not including, 1; as text `0.998` or `.998`. */
export function fraction() {
  const allowed = "a number from 0 to below 1, such as 0.1";
  const number = z.number({ error: allowed }).min(0, allowed).lt(1, allowed);
  return z
    .preprocess(decimalFromText, number)
    .register(valueInfo, { placeholder: "X", allowed, range: "0 to below 1" });
}

/** One of a few words. */
export function oneOf<const Word extends string>(words: readonly [Word, ...Word[]]) {
  const allowed = alternatives(words);
  return z.enum(words, { error: allowed }).register(valueInfo, { placeholder: "name", allowed, range: allowed });
}

/** Some of a few words; as text with commas between them. */
export function someOf<const Word extends string>(words: readonly [Word, ...Word[]]) {
  const allowed = `${alternatives(words)}, or several of them with commas between`;
  const list = z.array(z.enum(words, { error: allowed }), { error: allowed }).min(1, allowed);
  return z.preprocess(wordsFromText, list).register(valueInfo, { placeholder: "names", allowed, range: allowed });
}

/** A GPU by its number, or one of two words. */
export function gpuChoice() {
  const allowed = "auto, none or the number of a GPU, from 0";
  const number = z.number().int().min(0).max(MAX_GPU);
  return z
    .preprocess(integerFromText, z.union([number, z.enum(["auto", "none"])], { error: allowed }))
    .register(valueInfo, { placeholder: "K|auto|none", allowed });
}

/** Several GPUs by their numbers, each once, or one of two words; as text with commas between the numbers. */
export function gpuChoices() {
  const allowed = "all, none or numbers of GPUs, from 0, with commas between, such as 0,2";
  const number = z.number().int().min(0).max(MAX_GPU);
  const list = z
    .array(number)
    .min(1)
    .refine((numbers) => new Set(numbers).size === numbers.length);
  return z
    .preprocess(integersFromText, z.union([list, z.enum(["all", "none"])], { error: allowed }))
    .register(valueInfo, { placeholder: "K,K|all|none", allowed });
}

/** More than any machine has. */
const MAX_GPU = 255;

/** On or off; as text `true`, `false`, `1` or `0`. */
export function toggle() {
  const allowed = "true, false, 1 or 0";
  return z.preprocess(booleanFromText, z.boolean({ error: allowed })).register(valueInfo, { allowed });
}

/** Text that is not empty, such as a path. */
export function text(placeholder: string, allowed: string) {
  return z.string({ error: allowed }).trim().min(1, allowed).register(valueInfo, { placeholder, allowed });
}

/** Paths that stand on the command line by themselves, one or more of them. */
export function pathArguments(placeholder: string, allowed: string) {
  return z
    .array(z.string({ error: allowed }).trim().min(1, allowed), { error: allowed })
    .min(1, allowed)
    .register(valueInfo, { placeholder, allowed, isArgument: true });
}

/** What a key, and the files that hold it, can be called. */
export function keyName() {
  const allowed = "letters, digits, dots, dashes and underscores, at most 64, and no dot at the beginning";
  return z
    .string({ error: allowed })
    .refine(isKeyName, { error: allowed })
    .register(valueInfo, { placeholder: "NAME", allowed });
}

/** A ZeroMQ endpoint to listen on. */
export function listenEndpoint() {
  return endpoint("tcp://HOST:PORT, tcp://HOST:* for a free port, or ipc://PATH", isListenEndpoint);
}

/** A ZeroMQ endpoint to connect to. */
export function connectEndpoint() {
  return endpoint("tcp://HOST:PORT or ipc://PATH", isConnectEndpoint);
}

function endpoint(allowed: string, accepts: (endpoint: string) => boolean) {
  return z
    .string({ error: allowed })
    .refine(accepts, { error: allowed })
    .register(valueInfo, { placeholder: "ADDRESS", allowed, range: allowed });
}

/** `tcp://HOST:PORT`, captured; a host is a name, an IPv4 address or an IPv6 address in brackets. */
const TCP_ENDPOINT = /^tcp:\/\/(?<host>\*|[\w.-]+|\[[\da-f:.%\w]+\]):(?<port>\*|\d{1,5})$/i;

/** Unix socket paths are limited to 107 bytes on Linux (sun_path in unix(7)). */
const IPC_ENDPOINT = /^ipc:\/\/[^\0]{1,107}$/;

function isListenEndpoint(address: string): boolean {
  const tcp = TCP_ENDPOINT.exec(address)?.groups;
  return tcp ? tcp.port === "*" || isPort(tcp.port) : IPC_ENDPOINT.test(address);
}

function isConnectEndpoint(address: string): boolean {
  const tcp = TCP_ENDPOINT.exec(address)?.groups;
  return tcp ? tcp.host !== "*" && isPort(tcp.port) : IPC_ENDPOINT.test(address);
}

function isPort(digits: string | undefined): boolean {
  return Number(digits) >= 1 && Number(digits) <= 65_535;
}

/** An option's help, default and allowed values, read back from its schema. */
export function describeOption(
  schema: z.ZodType,
): ValueInfo & { help: string; default?: unknown; isRequired: boolean } {
  let inner = schema;
  let fallback: unknown;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodExactOptional) {
    if (inner instanceof z.ZodDefault) fallback = inner.def.defaultValue;
    inner = inner.unwrap() as z.ZodType;
  }
  const info = valueInfo.get(inner) ?? { placeholder: "value", allowed: "a value" };
  const described = { ...info, help: schema.description ?? "", isRequired: inner === schema };
  return fallback === undefined ? described : { ...described, default: fallback };
}

/** `a, b or c`. */
function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** Text that is not in the expected notation stays text, which the schema behind then refuses. */
function integerFromText(value: unknown): unknown {
  return typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
}

function decimalFromText(value: unknown): unknown {
  return typeof value === "string" && /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : value;
}

function wordsFromText(value: unknown): unknown {
  return typeof value === "string" ? value.split(",").map((word) => word.trim()) : value;
}

function integersFromText(value: unknown): unknown {
  if (typeof value === "number") return [value];
  return typeof value === "string" && /^[\d, ]+$/.test(value)
    ? value.split(",").map((each) => integerFromText(each.trim()))
    : value;
}

function booleanFromText(value: unknown): unknown {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  return value;
}
