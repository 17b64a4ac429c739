import { initialState, transition } from "../../src/coordinator/machine/machine.ts";
import { effectText, eventText } from "../../src/coordinator/machine/transcript.ts";
import type { Signal } from "../../src/shared/errors.ts";
import { type Effect, type Event, FROM_SCRATCH, type Plan, type State } from "../../src/coordinator/machine/types.ts";
import type { SliceName } from "../../src/shared/model/contribution.ts";
import { type Hello, PROTOCOL_VERSION, type WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { coveringNodes } from "./covering-nodes.ts";
import { NO_TIME } from "./messages.ts";

type Untimed = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;
type Assign = Extract<Effect, { type: "assign" }>;

export const TERMS = { dataDigest: "d".repeat(64), modelDigest: "e".repeat(64), dataName: "MNIST" };

/** Two steps of four shards, one epoch, two evaluation chunks. */
export const PLAN: Plan = {
  terms: TERMS,
  epochs: 1,
  stepsPerEpoch: 2,
  shardsPerStep: 4,
  shardsInLastStep: 4,
  evaluationChunks: 2,
  validationChunks: 0,
  patience: undefined,
  runLimitMs: Infinity,
  minWorkers: 1,
  joinTimeoutMs: Infinity,
  stallTimeoutMs: 30_000,
  firstWorkTimeoutMs: 30_000,
  clipsGradient: false,
  start: FROM_SCRATCH,
};

export function helloOf(incarnation: string): Hello {
  return {
    ...{ type: "hello", protocol: PROTOCOL_VERSION, incarnation, host: "here", pid: 1, engine: "wasm", device: "cpu" },
    ...{ dataDigest: TERMS.dataDigest, modelDigest: TERMS.modelDigest },
  };
}

/**
 * Plays scenes with the coordinator's machine and writes down what happens. Workers are peers with names like "A", who
 * remember what they were told, so that a scene can say "A sends its dense slice".
 */
export class CoordinatorScript {
  state: State;
  now = 0;
  readonly #plan: Plan;
  readonly #sessions = new Map<string, string>();
  readonly #assigned = new Map<string, Assign[]>();
  readonly #sent = new Map<Assign, SliceName[]>();
  readonly #chunks = new Map<string, { version: number; chunk: number }[]>();
  #lines: string[] = [];

  constructor(changes: Partial<Plan> = {}) {
    this.#plan = { ...PLAN, ...changes };
    this.state = initialState(this.#plan, "c");
    this.play({ type: "start" });
  }

  /** Everything since it was last asked for. */
  transcript(): string {
    const text = this.#lines.join("\n");
    this.#lines = [];
    return text;
  }

  play(event: Untimed): readonly Effect[] {
    const timed = { ...event, at: this.now } as Event;
    const [state, effects] = transition(this.state, timed);
    this.state = state;
    this.#lines.push(eventText(timed), ...effects.map((effect) => `  ${effectText(effect)}`));
    for (const effect of effects) this.#note(effect);
    return effects;
  }

  #note(effect: Effect): void {
    if (effect.type === "welcome" && this.#sessions.get(effect.peer) !== effect.session) {
      this.#sessions.set(effect.peer, effect.session);
      this.#assigned.set(effect.peer, []);
      this.#chunks.set(effect.peer, []);
    }
    if (effect.type === "assign") this.#assigned.get(effect.peer)?.push(effect);
    if (effect.type === "evaluate") {
      const { version } = effect;
      this.#chunks.get(effect.peer)?.push(...effect.chunks.map((chunk) => ({ version, chunk })));
    }
  }

  says(peer: string, message: WorkerMessage, finite = true): readonly Effect[] {
    return this.play({ type: "message", peer, message, finite });
  }

  session(peer: string): string {
    return this.#sessions.get(peer) ?? "none";
  }

  hello(peer: string, changes: Partial<Hello> = {}): void {
    this.says(peer, { ...helloOf(`incarnation of ${peer}`), ...changes });
  }

  ready(peer: string): void {
    this.says(peer, { type: "ready", session: this.session(peer) });
  }

  join(...peers: readonly string[]): void {
    for (const peer of peers) {
      this.hello(peer);
      this.ready(peer);
    }
  }

  /** The worker sends a slice of the first of its assignments of which it has not sent it yet. */
  sends(peer: string, slice: SliceName, finite = true, shardMs = 0): void {
    const task = this.#assigned.get(peer)?.find((each) => !(this.#sent.get(each) ?? []).includes(slice));
    if (task === undefined) throw new Error(`${peer} has nothing more to send`);
    this.#sent.set(task, [...(this.#sent.get(task) ?? []), slice]);
    const { session, step, shards } = task;
    const spent = { ...NO_TIME, compute: 1_000 * shardMs * shards.length };
    this.says(peer, { type: "result", session, step, slice, spent, nodes: this.nodes(step, shards) }, finite);
  }

  /** Both slices. @param shardMs what a shard takes it */
  computes(peer: string, shardMs = 0): void {
    this.sends(peer, "dense", true, shardMs);
    this.sends(peer, "conv", true, shardMs);
  }

  /** Answers all chunks asked for, or so many of them, with this many correct images each. */
  evaluates(peer: string, correct: number, most = Infinity): void {
    const chunks = this.#chunks.get(peer) ?? [];
    for (const { version, chunk } of chunks.splice(0, Math.min(most, chunks.length))) {
      this.says(peer, { type: "evaluated", session: this.session(peer), version, chunk, correct });
    }
  }

  /** Answers the last ping, as a worker that has done nothing yet, but for the changes. */
  pongs(peer: string, changes: Partial<Extract<WorkerMessage, { type: "pong" }>> = {}): readonly Effect[] {
    const { pings } = this.state.members.get(peer) ?? { pings: 1 };
    const pong = {
      type: "pong",
      session: this.session(peer),
      id: pings,
      computed: 0,
      ready: true,
      idle: false,
    } as const;
    return this.says(peer, { ...pong, ...changes });
  }

  leaves(peer: string): void {
    this.says(peer, { type: "leaving", session: this.session(peer), reason: "it received SIGTERM", finishing: true });
  }

  lost(peer: string): void {
    this.play({ type: "peer-lost", peer, reason: "its connection was lost" });
  }

  interrupt(signal: Signal = "SIGINT"): void {
    this.play({ type: "interrupt", signal });
  }

  tick(afterMs = 250, stoppedMs = 0): void {
    this.now += afterMs;
    this.play({ type: "tick", stoppedMs });
  }

  nodes(step: number, shards: readonly number[]): ReturnType<typeof coveringNodes> {
    const { stepsPerEpoch, shardsPerStep, shardsInLastStep } = this.#plan;
    return coveringNodes(shards, (step + 1) % stepsPerEpoch === 0 ? shardsInLastStep : shardsPerStep);
  }
}
