import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { Draws } from "../chaos/draws.ts";
import { ATTACKS } from "./port-attacks.ts";

/** How a coordinator's process bears attacks on its port. */

export interface Endured {
  /** Rounds of all attacks, and what they sent. */
  readonly rounds: number;
  readonly sent: Readonly<Record<string, number>>;
  readonly megabytesBefore: number;
  readonly megabytesAtMost: number;
  readonly filesBefore: number;
  /** Some seconds after the last attack. */
  readonly filesAfter: number;
}

const megabytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const files = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Connections that were cut take a moment to be noticed. */
const SETTLE_MS = 10_000;

/** @throws when the process is gone */
export async function attack(pid: number, port: number, seed: number, forMs: number): Promise<Endured> {
  const draws = new Draws(seed);
  const [megabytesBefore, filesBefore] = [megabytes(pid), files(pid)];
  let [megabytesAtMost, rounds] = [megabytesBefore, 0];
  const sent: Record<string, number> = {};
  for (const until = performance.now() + forMs; rounds === 0 || performance.now() < until; rounds++) {
    for (const [name, one] of Object.entries(ATTACKS)) {
      sent[name] = (sent[name] ?? 0) + (await one(port, draws));
      megabytesAtMost = Math.max(megabytesAtMost, megabytes(pid));
    }
  }
  const deadline = performance.now() + SETTLE_MS;
  while (files(pid) > filesBefore + 5 && performance.now() < deadline) await delay(100);
  return { rounds, sent, megabytesBefore, megabytesAtMost, filesBefore, filesAfter: files(pid) };
}
