import type { StepPhases, WorkerPhases } from "../shared/events.ts";
import type { SliceName } from "../shared/model/contribution.ts";
import type { Spent, WorkerMessage } from "../shared/protocol/messages.ts";
import type { PeerId } from "../shared/transport/transport.ts";
import type { Members } from "../shared/fleet/membership.ts";
import type { Effect } from "./machine/types.ts";

/** What the coordinator does, one at a time. */
export type CoordinatorPhase = "decide" | "reduce" | "adam" | "send";

/** A worker's answer to one assignment, as far as the coordinator knows. All times in ms. */
export interface TaskTimes {
  readonly worker: string;
  /** When the last thing that the task needs was sent, or its predecessor's last result came. */
  readonly neededAt: number;
  /** When its last result came. */
  readonly receivedAt: number;
  /** The task has begun by then: no result travels back in time. */
  readonly beganBy: number;
  readonly spent: Spent;
}

/** Is told what was when, while the steps go on. */
export interface StepTrace {
  /** @param step from 0 */
  coordinator(phase: CoordinatorPhase, step: number, startMs: number, endMs: number): void;
  task(step: number, times: TaskTimes): void;
}

const PHASE_OF = {
  welcome: "send",
  refuse: "send",
  ping: "send",
  stop: "send",
  "send-parameters": "send",
  assign: "send",
  evaluate: "send",
  "begin-step": "reduce",
  accept: "reduce",
  "apply-slice": "adam",
  reject: "decide",
  "commit-step": "adam",
  "epoch-evaluated": "decide",
  "end-evaluated": "decide",
  report: "decide",
  finish: "decide",
} as const satisfies Record<Effect["type"], CoordinatorPhase>;

type Result = Extract<WorkerMessage, { type: "result" }>;

/**
 * Takes a step's time apart. Pure: the shell says what happened when, in milliseconds of one clock.
 *
 * A step's phases are counted from its `begin-step` to `commit`; what is done between steps, such as an evaluation, is
 * nobody's. Of workers only those count that were given work, under the session in which they were given it.
 */
export class StepClock {
  readonly #trace: StepTrace | undefined;
  /** From 0; -1 while there is no step. */
  #step = -1;
  #beganAt = 0;
  #parts = new Map<PeerId, Part>();
  /** Who was given work for the next step, while this one is under way. */
  #ahead = new Map<PeerId, Part>();
  #aheadStep = -1;
  #markedAt = 0;
  readonly #busyMs: Record<CoordinatorPhase, number> = { decide: 0, reduce: 0, adam: 0, send: 0 };

  constructor(trace?: StepTrace) {
    this.#trace = trace;
  }

  /** The coordinator turns to something; what was before is not counted. */
  begin(at: number): void {
    this.#markedAt = at;
  }

  /** Everything since `begin`, or since the last call, was this. */
  did(phase: CoordinatorPhase, at: number): void {
    if (this.#step >= 0) {
      this.#busyMs[phase] += at - this.#markedAt;
      this.#trace?.coordinator(phase, this.#step, this.#markedAt, at);
    }
    this.#markedAt = at;
  }

  /** The same, of one of the machine's effects. */
  carriedOut(effect: Effect, members: Members, at: number): void {
    this.did(PHASE_OF[effect.type], at);
    if (effect.type === "begin-step") this.#beginStep(effect.step, at);
    else if (effect.type === "assign") this.#assigned(effect, members, at);
    else if (effect.type === "send-parameters" && !effect.averaged) this.#sentParameters(effect, at);
  }

  /** @param at when it came, before it was looked at */
  received(peer: PeerId, { session, step, slice, spent }: Result, at: number): void {
    const part = step === this.#step ? this.#parts.get(peer) : undefined;
    if (part?.session !== session) return;
    // A worker answers its assignments one after the other, each with one slice and then the other.
    if (part.begun === 0 || (part.slice !== slice && part.slices === 2)) {
      if (part.begun === part.neededAt.length) return;
      if (part.begun > 0) this.#finishTask(part);
      part.queuedAt = Math.max(part.neededAt[part.begun] ?? at, part.receivedAt);
      part.begun += 1;
      part.beganBy = at;
      part.slices = 1;
    } else if (part.slice !== slice) {
      part.slices += 1;
    }
    part.slice = slice;
    part.spent = spent;
    part.receivedAt = at;
    part.beganBy = Math.min(part.beganBy, at - spent.held / 1000);
  }

  /** The step under way has its weights. */
  commit(at: number): StepPhases {
    this.did("adam", at);
    const workers: WorkerPhases[] = [];
    let sentAt = -Infinity;
    for (const part of this.#parts.values()) {
      if (part.begun === 0) continue;
      this.#finishTask(part);
      sentAt = Math.max(sentAt, part.beganBy + part.spent.held / 1000);
      workers.push({
        worker: part.name,
        shards: part.shards,
        waitMs: part.waitMicros / 1000,
        gatherMs: part.gatherMicros / 1000,
        computeMs: part.computeMicros / 1000,
        wireMs: toMicros(part.wireMs),
      });
    }
    this.#step = -1;
    const { decide, reduce, adam, send } = this.#busyMs;
    return {
      workers,
      coordinator: {
        decideMs: toMicros(decide),
        reduceMs: toMicros(reduce),
        adamMs: toMicros(adam),
        sendMs: toMicros(send),
        tailMs: toMicros(at - Math.max(sentAt, this.#beganAt)),
      },
    };
  }

  #beginStep(step: number, at: number): void {
    if (step === this.#aheadStep) [this.#parts, this.#ahead] = [this.#ahead, this.#parts];
    else this.#parts.clear();
    this.#step = step;
    this.#beganAt = at;
    this.#busyMs.decide = 0;
    this.#busyMs.reduce = 0;
    this.#busyMs.adam = 0;
    this.#busyMs.send = 0;
  }

  #assigned({ peer, session, step, shards }: Extract<Effect, { type: "assign" }>, members: Members, at: number): void {
    if (step !== this.#step && step !== this.#aheadStep) {
      this.#ahead.clear();
      this.#aheadStep = step;
    }
    const parts = step === this.#step ? this.#parts : this.#ahead;
    let part = parts.get(peer);
    if (part?.session !== session) {
      part = new Part(members.get(peer)?.name ?? peer, session);
      parts.set(peer, part);
    }
    part.shards += shards.length;
    part.neededAt.push(at);
  }

  /** Work that was given out ahead needs them. */
  #sentParameters({ peer, version }: Extract<Effect, { type: "send-parameters" }>, at: number): void {
    const parts = version === this.#step ? this.#parts : version === this.#aheadStep ? this.#ahead : undefined;
    parts?.get(peer)?.neededAt.fill(at);
  }

  #finishTask(part: Part): void {
    const { spent, queuedAt: neededAt, receivedAt } = part;
    part.waitMicros += spent.wait;
    part.gatherMicros += spent.gather;
    part.computeMicros += spent.compute;
    part.wireMs += Math.max(0, receivedAt - neededAt - spent.held / 1000);
    this.#trace?.task(this.#step, { worker: part.name, neededAt, receivedAt, beganBy: part.beganBy, spent });
  }
}

const NOTHING: Spent = { wait: 0, gather: 0, compute: 0, held: 0 };

/** A worker's part in a step. */
class Part {
  readonly name: string;
  readonly session: string;
  shards = 0;
  /** For each assignment, when the last thing that it needs was sent. */
  readonly neededAt: number[] = [];
  /** Assignments of which a result has come: all but the last of them are done. */
  begun = 0;
  // Of the last of them:
  queuedAt = 0;
  beganBy = 0;
  receivedAt = 0;
  slice: SliceName | undefined;
  /** Slices of which something has come. */
  slices = 0;
  spent = NOTHING;
  // Of those before it:
  waitMicros = 0;
  gatherMicros = 0;
  computeMicros = 0;
  wireMs = 0;

  constructor(name: string, session: string) {
    this.name = name;
    this.session = session;
  }
}

/** In ms, to whole microseconds. */
function toMicros(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
