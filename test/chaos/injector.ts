import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../src/shared/errors.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { type Arena, carryOut } from "./faults.ts";
import type { PlannedFault } from "./schedule.ts";
import type { StepPauses } from "./step-pauses.ts";

/** How often a kind was done to a run, and how often its turn came when it could not be. */
export interface FaultCount {
  done: number;
  passedOver: number;
}

interface InjectorOptions {
  /** The next fault is taken from here; what one run leaves over is the next run's. */
  readonly faults: Iterator<PlannedFault, never>;
  readonly say: (text: string) => void;
  readonly onViolation: (what: string) => void;
}

/** Carries out the schedule on one run after the other, at the times it says; time between runs does not count. */
export class Injector {
  readonly counts = new Map<FaultKind, FaultCount>();
  readonly #options: InjectorOptions;
  readonly #underWay = new Map<Promise<void>, FaultKind>();
  #next: PlannedFault;
  /** On the schedule's clock. */
  #elapsedMs = 0;

  constructor(options: InjectorOptions) {
    this.#options = options;
    this.#next = options.faults.next().value;
  }

  /** Disturbs a run until the signal comes; then what is under way is cut short, and waited for. */
  async disturb(arena: Arena, pauses: StepPauses, signal: AbortSignal): Promise<void> {
    const startedAt = performance.now() - this.#elapsedMs;
    while (!signal.aborted) {
      const pauseMs = Math.max(0, this.#next.atMs - (performance.now() - startedAt));
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      const fault = this.#next;
      this.#next = this.#options.faults.next().value;
      const done = this.#carryOut(fault, arena, pauses).finally(() => this.#underWay.delete(done));
      this.#underWay.set(done, fault.kind);
    }
    this.#elapsedMs = Math.min(this.#next.atMs, performance.now() - startedAt);
    while (this.#underWay.size > 0) {
      arena.waits.endAll();
      await Promise.race([...this.#underWay.keys(), arena.waits.wait(100)]);
    }
  }

  /** What has begun and is not over. */
  get underWay(): readonly FaultKind[] {
    return [...this.#underWay.values()];
  }

  async #carryOut(fault: PlannedFault, arena: Arena, pauses: StepPauses): Promise<void> {
    const { say, onViolation } = this.#options;
    const count = this.counts.get(fault.kind) ?? { done: 0, passedOver: 0 };
    this.counts.set(fault.kind, count);
    const time = `${(fault.atMs / 1000).toFixed(1).padStart(7)} s  ${fault.kind}`;
    const noted = pauses.begin(performance.now(), fault.kind);
    try {
      const deed = await carryOut(fault, arena);
      if (deed === undefined) {
        count.passedOver += 1;
        pauses.forget(noted);
      } else {
        count.done += 1;
      }
      say(`${time}: ${deed ?? "not possible just then"}`);
    } catch (thrown) {
      onViolation(`${fault.kind}: ${messageOf(thrown)}`);
    } finally {
      noted.toMs = performance.now();
    }
  }
}
