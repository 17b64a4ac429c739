import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Clock, tickEvery } from "../shared/clock.ts";
import type { Dataset } from "../shared/data/dataset.ts";
import { messageOf, type Signal } from "../shared/errors.ts";
import type { WorkerEventName } from "../shared/log/vocabulary.ts";
import { modelDigest } from "../shared/model/digest.ts";
import { decodeFromCoordinator, encode, type Frames, wordsOf } from "../shared/protocol/codec.ts";
import { LIMITS, PROTOCOL_VERSION, type WorkerMessage } from "../shared/protocol/messages.ts";
import type { WorkerTransport } from "../shared/transport/transport.ts";
import type { Engine } from "./engines/engine.ts";
import { initialState, transition } from "./machine/machine.ts";
import type { Effect, Event, State, Task } from "./machine/types.ts";
import type { WorkerMetrics } from "./metrics.ts";
import { TaskClock } from "./task-clock.ts";
import { type TaskListener, TaskRunner } from "./task-runner.ts";

export interface WorkerOptions {
  readonly transport: WorkerTransport;
  /** For messages to people. */
  readonly address: string;
  readonly engine: Engine;
  /** Version of the driver of the GPU that the engine computes on. */
  readonly driver?: string;
  readonly dataset: Dataset;
  readonly clock: Clock;
  readonly coordinatorTimeoutMs: number;
  /** Sentences about what happens. */
  readonly say: (text: string) => void;
  /** The same as events, and some more. */
  readonly log?: (news: WorkerNews) => void;
  /** Is told what there is to count. */
  readonly metrics?: WorkerMetrics | undefined;
}

/** Something that has happened to a worker, for its log. */
export interface WorkerNews {
  readonly event: WorkerEventName;
  readonly text: string;
  /** What the coordinator calls this worker, and its run's folder; absent while it is not welcomed. */
  readonly worker?: string;
  readonly runId?: string;
  /** Steps done when the last work was given out; absent before the first. */
  readonly step?: number;
  readonly stack?: string;
}

/** How a worker ended. */
export interface WorkerEnd {
  /** The exit code that this end calls for. */
  readonly code: number;
  readonly text: string;
  /** The run has ended, and with it this worker. */
  readonly isRunEnd?: boolean;
}

type TimedEvent = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

const TICK_MS = 25;
/** A coordinator pings at least every second: one that is silent for this long may be gone. */
const SILENCE_MS = 5_000;

/** The shell around the worker's machine: transport, clock, engine and data. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #runner: TaskRunner;
  readonly #taskClock: TaskClock;
  readonly #incarnation = randomUUID();
  /** The sample indices that came with an assignment. */
  readonly #samples = new WeakMap<Task, Uint32Array>();
  readonly #ended: Promise<WorkerEnd>;
  #end: (end: WorkerEnd) => void = () => {};
  #state: State;
  #step: number | undefined;
  #payload: Frames = [];
  readonly #cancelled = new WeakSet<Task>();
  #engineWork: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#taskClock = new TaskClock(options.clock);
    this.#runner = new TaskRunner(options.engine, options.dataset, this.#taskClock, options.transport.memory);
    this.#state = initialState(options.address, options.coordinatorTimeoutMs, options.clock.now());
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Works until the coordinator ends the run, refuses this worker or stays away; then the transport is closed. */
  async run(): Promise<WorkerEnd> {
    const { transport, clock } = this.#options;
    transport.start({
      onMessage: (frames) => this.#receive(frames),
      onDamaged: (problem) => this.#handle({ type: "malformed", problem }),
      onRefused: (problem) => this.#handle({ type: "not-let-in", problem }),
    });
    const stopTicking = tickEvery(clock, TICK_MS, (stoppedMs) => this.#handle({ type: "tick", stoppedMs }));
    this.#handle({ type: "start" });
    const end = await this.#ended;
    stopTicking();
    await transport.close();
    return end;
  }

  /** Tells the coordinator that this worker is leaving, and ends. */
  interrupt(signal: Signal): void {
    this.#handle({ type: "signal", signal });
  }

  /** Steps done when the last work was given out; undefined before the first. */
  get step(): number | undefined {
    return this.#step;
  }

  /** Whether it is welcome, and hears the coordinator. */
  get isConnected(): boolean {
    const { welcome, heardAt, ended } = this.#state;
    return welcome !== undefined && !ended && this.#options.clock.now() - heardAt < SILENCE_MS;
  }

  /** A sentence: why it cannot be given work now; undefined when it can. */
  unready(): string | undefined {
    const { welcome, ready, ended, leaving } = this.#state;
    const coordinator = `the coordinator at ${this.#options.address}`;
    if (ended || leaving !== undefined) return "the worker is leaving";
    if (welcome === undefined) return `${coordinator} has not welcomed this worker yet`;
    if (!ready) return "the engine is not ready yet";
    return this.isConnected ? undefined : `nothing is heard of ${coordinator}`;
  }

  #receive(frames: Frames): void {
    try {
      const { header, payload } = decodeFromCoordinator(frames);
      this.#options.metrics?.traffic.received.add(header.type, frames);
      if (header.type === "assign" && payload[0] !== undefined) this.#samples.set(header, wordsOf(payload[0]));
      this.#payload = payload;
      this.#handle({ type: "message", message: header });
    } catch (thrown) {
      this.#handle({ type: "malformed", problem: messageOf(thrown) });
    }
  }

  #handle(event: TimedEvent): void {
    const [state, effects] = transition(this.#state, { ...event, at: this.#options.clock.now() } as Event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "greet":
        this.#send(this.#hello());
        break;
      case "send":
        this.#send(effect.message);
        break;
      case "prepare":
        this.#options.metrics?.welcomed(effect.welcome);
        this.#withEngine(async () => {
          await this.#runner.prepare(effect.welcome);
          if (this.#state.welcome === effect.welcome) this.#handle({ type: "prepared" });
        });
        break;
      case "keep-parameters": {
        const frame = this.#payload[effect.frame];
        if (frame !== undefined) this.#runner.keepParameters(effect, frame);
        break;
      }
      case "anticipate":
        this.#withEngine(() => {
          const isStillNext = this.#state.anticipated === effect.task;
          if (isStillNext) this.#runner.anticipate(effect.task, this.#samplesOf(effect.task));
          return Promise.resolve();
        });
        break;
      case "run":
        this.#withEngine(() => this.#run(effect.task));
        break;
      case "cancel":
        this.#cancelled.add(effect.task);
        break;
      case "say":
        this.#options.say(effect.text);
        this.#log(effect);
        break;
      case "note":
        this.#log(effect);
        break;
      case "exit":
        this.#end({ code: effect.code, text: effect.text, ...(effect.isRunEnd ? { isRunEnd: true } : {}) });
        break;
      default:
        effect satisfies never;
    }
  }

  #log({ event, text, ...more }: Extract<Effect, { type: "say" | "note" }>): void {
    const { welcome } = this.#state;
    this.#options.log?.({
      ...{ event, text },
      ...("stack" in more ? { stack: more.stack } : {}),
      ...(welcome === undefined ? {} : { worker: welcome.name, runId: welcome.runId }),
      ...(this.#step === undefined ? {} : { step: this.#step }),
    });
  }

  async #run(task: Task): Promise<void> {
    const listener = this.#listener(task);
    // Its parameters may be gone by now.
    if (listener.isCancelled()) return;
    this.#step = task.type === "assign" ? task.step : task.version;
    this.#taskClock.begin();
    if (task.type === "evaluate") await this.#runner.evaluate(task, listener);
    else await this.#runner.computeStep(task, this.#samplesOf(task), listener);
    if (!listener.isCancelled()) this.#options.metrics?.computed(task, this.#taskClock.spent().compute / 1000);
    this.#taskClock.end();
    this.#handle({ type: "task-done", task });
  }

  #samplesOf(task: Task): Uint32Array {
    return this.#samples.get(task) ?? new Uint32Array(0);
  }

  #listener(task: Task): TaskListener {
    const { session } = task;
    return {
      onSlice: (slice, { nodes, sums }) => {
        if (task.type !== "assign") return;
        // One message has room for the nodes of any contiguous run of shards; scattered ones may need several.
        for (let first = 0; first < nodes.length; first += LIMITS.nodes) {
          const end = first + LIMITS.nodes;
          const part = nodes.slice(first, end);
          const spent = this.#taskClock.spent();
          this.#send(
            { type: "result", session, step: task.step, slice, spent, nodes: part },
            ...sums.slice(first, end),
          );
        }
        for (const sum of sums) this.#options.transport.memory.release(sum);
      },
      onEvaluated: (correct) => {
        if (task.type !== "evaluate") return;
        this.#send({ type: "evaluated", session, version: task.version, chunk: task.chunk, correct });
      },
      onComputed: () => this.#handle({ type: "computed" }),
      isCancelled: () => this.#cancelled.has(task),
    };
  }

  /**
   * Does something with the engine once all that was begun before is over, so that a cancelled task and its successor
   * never share it. When it throws, the coordinator is told and the worker ends.
   */
  #withEngine(work: () => Promise<void>): void {
    this.#engineWork = this.#engineWork.then(work).catch((thrown: unknown) => {
      const message = messageOf(thrown).slice(0, LIMITS.text);
      const stack = (thrown instanceof Error ? (thrown.stack ?? "") : "").slice(0, LIMITS.stack);
      this.#handle({ type: "failed", message, stack });
    });
  }

  #send(message: WorkerMessage, ...payload: readonly Float32Array[]): void {
    const frames = encode(message, ...payload);
    this.#options.metrics?.traffic.sent.add(message.type, frames);
    this.#options.transport.send(frames);
  }

  #hello(): WorkerMessage {
    const { engine, driver, dataset } = this.#options;
    const { runtime } = engine;
    return {
      type: "hello",
      protocol: PROTOCOL_VERSION,
      incarnation: this.#incarnation,
      host: hostname(),
      pid: process.pid,
      engine: engine.name,
      device: engine.device,
      ...(runtime === undefined ? {} : { runtime: runtime.slice(0, LIMITS.text) }),
      ...(driver === undefined ? {} : { driver: driver.slice(0, LIMITS.text) }),
      dataDigest: dataset.digest,
      modelDigest: modelDigest(),
    };
  }
}
