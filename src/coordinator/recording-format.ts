import { LockstepError } from "../shared/errors.ts";
import type { Effect, Event, Plan } from "./machine/types.ts";

/**
 * The file of `--record-events`, newline-delimited JSON: a head with what the machine began with, then a line for each
 * event that it was told, with a fingerprint of what it asked for. Pure.
 */

const FORMAT = "lockstep-events";
const FORMAT_VERSION = 2;

/** What a run's machine began with. */
export interface RecordingHead {
  readonly plan: Plan;
  readonly incarnation: string;
}

export interface RecordedEvent {
  readonly event: Event;
  /** The fingerprint of what the machine asked for; undefined where it failed. */
  readonly effects: string | undefined;
}

/** @param version of lockstep itself: another one may decide differently */
export function headLine(head: RecordingHead, version: string): string {
  return encode({ format: FORMAT, formatVersion: FORMAT_VERSION, version, ...head });
}

/** @param effects undefined where the machine failed */
export function eventLine(event: Event, effects: readonly Effect[] | undefined): string {
  return encode({ event, effects: effects && fingerprint(effects) });
}

/**
 * @param name of the file, for messages
 * @throws LockstepError `refused` when this is no head, or one that another version wrote
 */
export function readHead(line: string, version: string, name: string): RecordingHead {
  const head = decode(line);
  if (head?.format !== FORMAT) {
    throw new LockstepError("refused", `${name} is not a recording of events; name a file that --record-events wrote`);
  }
  if (head.formatVersion !== FORMAT_VERSION || head.version !== version) {
    const [by, format] = [String(head.version), String(head.formatVersion)];
    throw new LockstepError(
      "refused",
      `${name} was recorded by lockstep ${by} in format ${format}, this is ${version} with format ${FORMAT_VERSION}; ` +
        "replay it with the version that recorded it",
    );
  }
  const { plan, incarnation } = head;
  if (!isPlan(plan) || typeof incarnation !== "string") {
    throw new LockstepError("refused", `the first line of ${name} is damaged: it lacks the plan; record the run again`);
  }
  return { plan, incarnation };
}

/** As far as a machine needs it to begin. */
function isPlan(value: unknown): value is Plan {
  if (typeof value !== "object" || value === null || !("start" in value)) return false;
  return typeof value.start === "object" && value.start !== null;
}

/** Undefined when the line is torn or damaged. */
export function readEvent(line: string): RecordedEvent | undefined {
  const { event, effects } = decode(line) ?? {};
  const isEvent = typeof event === "object" && event !== null && "type" in event && "at" in event;
  if (!isEvent || (effects !== undefined && typeof effects !== "string")) return undefined;
  return { event: event as Event, effects };
}

/** Eight hexadecimal digits: FNV-1a over the effects as JSON (http://www.isthe.com/chongo/tech/comp/fnv/). */
export function fingerprint(effects: readonly Effect[]): string {
  const text = encode(effects);
  let hash = 0x81_1c_9d_c5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01_00_01_93);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** JSON, with the numbers that it lacks, such as Infinity, as `{"$number":"Infinity"}`. */
function encode(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "number" && !Number.isFinite(each) ? { $number: String(each) } : each,
  );
}

/** Undefined where this is not a JSON object. */
function decode(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line, (_, each: unknown) =>
      typeof each === "object" && each !== null && "$number" in each ? Number(each.$number) : each,
    );
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
