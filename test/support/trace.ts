import { readFileSync } from "node:fs";

/** An event of a Chrome trace as lockstep writes them: a span (X), a moment (i), or the name of a process or a thread (M). */
export interface ChromeEvent {
  readonly name: string;
  readonly ph: "X" | "i" | "M";
  readonly pid: number;
  readonly tid: number;
  /** In microseconds. */
  readonly ts?: number;
  readonly dur?: number;
  readonly args: { readonly step?: number; readonly name?: string; readonly msg?: string };
}

/** Fails when the file is not a whole trace. */
export function readTrace(path: string): ChromeEvent[] {
  const { traceEvents } = JSON.parse(readFileSync(path, "utf8")) as { traceEvents: ChromeEvent[] };
  return traceEvents;
}
