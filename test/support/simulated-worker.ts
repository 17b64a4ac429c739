import type { SliceName } from "../../src/shared/model/contribution.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { copyOf } from "../../src/shared/protocol/holdings.ts";
import { initialState, transition } from "../../src/worker/machine/machine.ts";
import type { Event, State, Task } from "../../src/worker/machine/types.ts";
import { coveringNodes } from "./covering-nodes.ts";
import { helloOf } from "./coordinator-script.ts";
import { NO_TIME } from "./messages.ts";

type Untimed = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

/** Correct images that every worker finds in a chunk: powers of two, so that a sum tells which chunks were counted. */
export const correctOf = (chunk: number): number => 2 ** chunk;

/** What a result is like: its numbers may be not finite. */
export type Send = (message: WorkerMessage, finite: boolean) => void;

/** The worker's real machine with an engine made of "now one more piece of work is done". */
export class SimulatedWorker {
  readonly name: string;
  state: State;
  ended = false;
  readonly #now: () => number;
  readonly #send: Send;
  /** Which version's numbers lie in each place for parameters. */
  readonly #places: Record<SliceName, number[]> = { dense: [], conv: [] };
  /** What the engine still has to do, in order. */
  readonly #work: (() => void)[] = [];
  readonly #cancelled = new Set<Task>();
  /** The next result is not finite. */
  breaks = false;

  constructor(name: string, now: () => number, send: Send) {
    this.name = name;
    this.#now = now;
    this.#send = send;
    this.state = initialState("tcp://here", Infinity, now());
    this.#handle({ type: "start" });
  }

  get busy(): boolean {
    return this.#work.length > 0;
  }

  receive(message: CoordinatorMessage): void {
    this.#handle({ type: "message", message });
  }

  tick(): void {
    this.#handle({ type: "tick", stoppedMs: 0 });
  }

  leave(): void {
    this.#handle({ type: "signal", signal: "SIGTERM" });
  }

  /** Does one piece of work: a preparation, a slice, a chunk. */
  work(): void {
    this.#work.shift()?.();
  }

  #handle(event: Untimed): void {
    const before = this.state;
    const [state, effects] = transition(before, { ...event, at: this.#now() } as Event);
    this.state = state;
    for (const effect of effects) {
      switch (effect.type) {
        case "greet":
          this.#send(helloOf(this.name), true);
          break;
        case "send":
          this.#send(effect.message, true);
          break;
        case "prepare":
          this.#work.push(() => {
            if (this.state.welcome === effect.welcome) this.#handle({ type: "prepared" });
          });
          break;
        case "keep-parameters":
          this.#places[effect.slice][copyOf(effect.version, effect.averaged)] = effect.version;
          break;
        case "run":
          this.#begin(effect.task);
          break;
        case "cancel":
          this.#cancelled.add(effect.task);
          break;
        case "exit":
          this.ended = true;
          break;
        default:
      }
    }
  }

  #begin(task: Task): void {
    const piece = (action: () => void): void => {
      this.#work.push(() => {
        if (!this.#cancelled.has(task)) action();
      });
    };
    piece(() => (task.type === "assign" ? this.#require(task.step, false) : this.#require(task.version, true)));
    const { session } = task;
    if (task.type === "assign") {
      const nodes = coveringNodes(
        task.shards.map(({ index }) => index),
        task.shardCount,
      );
      for (const slice of ["dense", "conv"] as const) {
        piece(() => {
          this.#send({ type: "result", session, step: task.step, slice, spent: NO_TIME, nodes }, !this.breaks);
          if (slice === "conv") this.breaks = false;
        });
      }
    } else {
      const { version, chunk } = task;
      piece(() => this.#send({ type: "evaluated", session, version, chunk, correct: correctOf(chunk) }, true));
    }
    piece(() => this.#handle({ type: "computed" }));
    this.#work.push(() => this.#handle({ type: "task-done", task }));
  }

  /** The numbers that the engine loads are those of the version that the task is for. */
  #require(version: number, averaged: boolean): void {
    for (const [slice, places] of Object.entries(this.#places)) {
      const found = places[copyOf(version, averaged)];
      if (found !== version)
        throw new Error(`invariant: ${this.name} computes version ${version} on ${slice} of ${found}`);
    }
  }
}
