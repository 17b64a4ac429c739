import type { CoordinatorMessage, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { initialState, transition } from "../../src/worker/machine/machine.ts";
import type { Effect, Event, State, Task } from "../../src/worker/machine/types.ts";
import { welcomeOf } from "./welcome.ts";

type Untimed = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

export const ADDRESS = "tcp://127.0.0.1:5555";

/** Plays scenes with the worker's machine and writes down what happens. */
export class WorkerScript {
  state: State;
  now = 0;
  #shards = -1;
  session = "c/1";
  #lines: string[] = [];

  constructor(coordinatorTimeoutMs = 60_000) {
    this.state = initialState(ADDRESS, coordinatorTimeoutMs, 0);
    this.play({ type: "start" });
  }

  /** Everything since it was last asked for. */
  transcript(): string {
    const text = this.#lines.join("\n");
    this.#lines = [];
    return text;
  }

  play(event: Untimed): readonly Effect[] {
    const [state, effects] = transition(this.state, { ...event, at: this.now } as Event);
    this.state = state;
    this.#lines.push(eventText(event, this.now), ...effects.map((effect) => `  ${effectText(effect)}`));
    return effects;
  }

  hears(message: CoordinatorMessage): readonly Effect[] {
    return this.play({ type: "message", message });
  }

  welcome(session = "c/1"): void {
    this.session = session;
    this.hears(welcomeOf({ session, shardSize: 32 }));
  }

  join(): void {
    this.welcome();
    this.play({ type: "prepared" });
    this.transcript();
  }

  parameters(version: number, slices: readonly ("dense" | "conv")[] = ["dense", "conv"], averaged = false): void {
    for (const slice of slices) this.hears({ type: "parameters", session: this.session, version, slice, averaged });
  }

  /** Another shard each time. @returns the task, as the machine knows it from now on */
  assign(step: number, session = this.session, slices: ("dense" | "conv")[] = []): Task {
    const shards = [{ index: (this.#shards += 1), count: 2 }];
    const task: Task = { type: "assign", session, step, epoch: 0, shardCount: 99, globalCount: 200, shards, slices };
    this.hears(task);
    return task;
  }

  evaluate(version: number, chunk: number): Task {
    const { session } = this;
    const task: Task = { type: "evaluate", session, version, chunk, images: "test", first: 0, count: 2 };
    this.hears(task);
    return task;
  }

  done(task: Task): void {
    this.play({ type: "computed" });
    this.play({ type: "task-done", task });
  }

  tick(afterMs: number, stoppedMs = 0): readonly Effect[] {
    this.now += afterMs;
    return this.play({ type: "tick", stoppedMs });
  }
}

function taskText(task: Task): string {
  return task.type === "assign" ? `step ${task.step}` : `version ${task.version} chunk ${task.chunk}`;
}

function eventText(event: Untimed, at: number): string {
  switch (event.type) {
    case "message":
      return `<- ${messageText(event.message)}`;
    case "tick":
      return `tick at ${at} ms`;
    case "task-done":
      return `done: ${taskText(event.task)}`;
    case "malformed":
      return `<- something malformed`;
    case "failed":
      return `failed: ${event.message}`;
    case "signal":
      return event.signal;
    default:
      return event.type;
  }
}

function effectText(effect: Effect): string {
  switch (effect.type) {
    case "greet":
      return "-> hello";
    case "send":
      return `-> ${messageText(effect.message)}`;
    case "keep-parameters":
      return `keep ${effect.averaged ? "averaged " : ""}version ${effect.version} ${effect.slice}`;
    case "run":
    case "anticipate":
    case "cancel":
      return `${effect.type} ${taskText(effect.task)}`;
    case "say":
      return `say: ${effect.text}`;
    case "note":
      return `note: ${effect.text}`;
    case "exit":
      return `exit ${effect.code}: ${effect.text}`;
    default:
      return effect.type;
  }
}

function messageText(message: CoordinatorMessage | WorkerMessage): string {
  switch (message.type) {
    case "welcome":
      return `welcome to ${message.session}`;
    case "rejected":
      return `rejected, ${message.code}`;
    case "parameters":
      return `${message.averaged ? "averaged " : ""}parameters ${message.version} ${message.slice}`;
    case "assign":
    case "evaluate":
      return `${message.type} ${taskText(message)}`;
    case "pong":
      return `pong, ${message.computed} computed`;
    case "leaving":
      return `leaving ${message.session}, ${message.reason}`;
    case "failed":
      return `failed, ${message.message}`;
    case "stop":
      return `stop, ${message.reason}`;
    default:
      return message.type;
  }
}
