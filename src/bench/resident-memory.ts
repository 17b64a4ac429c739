import { readdirSync, readFileSync } from "node:fs";

/** Physical memory of a process, in MB (10^6 bytes), with the libraries' pages that it shares with others. */
export interface ResidentMemory {
  readonly now: number;
  /** The most that it ever had. */
  readonly peak: number;
}

/** As Linux tells it in /proc; undefined on other systems, or once the process is gone. */
export function residentMemory(pid: number): ResidentMemory | undefined {
  const status = readProcess(pid, "status");
  return status === undefined ? undefined : parseStatus(status);
}

/** Of the text of /proc/PID/status; undefined of a process that has ended and waits to be reaped. */
export function parseStatus(status: string): ResidentMemory | undefined {
  const megabytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  const [now, peak] = [(megabytes("VmRSS") * 1024) / 1e6, (megabytes("VmHWM") * 1024) / 1e6];
  return Number.isNaN(now) || Number.isNaN(peak) ? undefined : { now, peak };
}

/** Process ids of a process's children, in the order in which they were started, as a rule; none on other systems. */
export function childrenOf(pid: number): number[] {
  let entries: string[];
  try {
    entries = readdirSync("/proc");
  } catch {
    return [];
  }
  return entries
    .filter((entry) => /^\d+$/.test(entry) && parentOf(Number(entry)) === pid)
    .map(Number)
    .toSorted((a, b) => a - b);
}

function parentOf(pid: number): number | undefined {
  // "PID (name) state parent ...", and the name may hold anything.
  const after = readProcess(pid, "stat")?.split(") ").at(-1);
  return after === undefined ? undefined : Number(after.split(" ")[1]);
}

function readProcess(pid: number, file: "stat" | "status"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
