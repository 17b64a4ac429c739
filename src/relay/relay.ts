import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { MessageQuota } from "../shared/fleet/message-quota.ts";
import { RefusedConnections } from "../shared/fleet/refused-connections.ts";
import { type Clock, tickEvery } from "../shared/clock.ts";
import { LockstepError, messageOf, type Signal } from "../shared/errors.ts";
import { readyMembers } from "../shared/fleet/membership.ts";
import { modelDigest } from "../shared/model/digest.ts";
import { decodeFromCoordinator, decodeFromWorker, encode, type Frames } from "../shared/protocol/codec.ts";
import { type CoordinatorMessage, LIMITS, PROTOCOL_VERSION, type WorkerMessage } from "../shared/protocol/messages.ts";
import type { CoordinatorTransport, PeerId, WorkerTransport } from "../shared/transport/transport.ts";
import { KeptFrames } from "./kept-frames.ts";
import { KeptSamples } from "./kept-samples.ts";
import { initialState, transition } from "./machine/machine.ts";
import type { Effect, Event, Identity, RelayEventName, State } from "./machine/types.ts";
import type { RelayMetrics } from "./metrics.ts";
import { TaskSums } from "./task-sums.ts";

export interface RelayOptions {
  /** The end that whoever is above sees as a worker's. */
  readonly above: WorkerTransport;
  /** The end that those below see as the coordinator's. */
  readonly below: CoordinatorTransport;
  /** Of whoever is above, for messages to people. */
  readonly address: string;
  readonly clock: Clock;
  readonly coordinatorTimeoutMs: number;
  /** Longest time with nobody below; Infinity waits for ever. */
  readonly joinTimeoutMs: number;
  /** What happens, as sentences and events. */
  readonly log: (news: RelayNews) => void;
  /** Is told what there is to count. */
  readonly metrics?: RelayMetrics | undefined;
}

/** Something that has happened to a relay, for its log. */
export interface RelayNews {
  readonly event: RelayEventName;
  readonly text: string;
  /** Whom it is about: this relay, by the name that it has above, or a member below; absent while neither has one. */
  readonly worker?: string;
  /** The run's folder; absent while it is not welcomed. */
  readonly runId?: string;
  /** Steps done when the last work was passed on; absent before the first. */
  readonly step?: number;
}

/** How a relay ended. */
export interface RelayEnd {
  /** The exit code that this end calls for. */
  readonly code: number;
  readonly text: string;
}

type TimedEvent = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

const TOO_MANY = "it sends far more messages than it was asked for";
const TICK_MS = 25;
/** Whoever is above pings at least every second: one that is silent for this long may be gone. */
const SILENCE_MS = 5_000;

/**
 * The shell around the relay's machine: two transports, a clock, parameters to pass on and sums to add up. It owns no
 * weights and no data set, and computes nothing but sums.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #incarnation = randomUUID();
  readonly #parameters: KeptFrames;
  readonly #samples = new KeptSamples();
  readonly #sums = new TaskSums();
  readonly #refused = new RefusedConnections();
  readonly #quota = new MessageQuota((peer) => this.#state.members.has(peer));
  /** Whether the message at hand was. */
  #isRejected = false;
  readonly #outcome: Promise<RelayEnd>;
  #settle!: { resolve: (end: RelayEnd) => void; reject: (error: unknown) => void };
  #state: State;
  #step: number | undefined;
  /** Of the message at hand, if it came from above. */
  #payload: Frames = [];

  constructor(options: RelayOptions) {
    const { address, coordinatorTimeoutMs, joinTimeoutMs, clock, above } = options;
    this.#options = options;
    this.#parameters = new KeptFrames(above.memory);
    const settings = { address, coordinatorTimeoutMs, joinTimeoutMs, incarnation: this.#incarnation };
    this.#state = initialState({ ...settings, modelDigest: modelDigest() }, clock.now());
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  /** Relays until the run is over, it is refused or left alone, or `interrupt`; then both transports are closed. */
  async run(): Promise<RelayEnd> {
    const { above, below, clock } = this.#options;
    below.start({
      onMessage: (peer, frames) => this.#hear(peer, frames),
      onUnreachable: (peer) => this.#handle({ type: "peer-lost", peer, reason: "its connection was lost" }),
      onDamaged: (peer, problem) => {
        if (this.#admit(peer)) this.#handle({ type: "heard-malformed", peer, problem });
      },
      onRefused: (reason) => this.#refused.add(reason),
    });
    above.start({
      onMessage: (frames) => this.#take(frames),
      onDamaged: (problem) => this.#handle({ type: "told-malformed", problem }),
      onRefused: (problem) => this.#handle({ type: "not-let-in", problem }),
    });
    const stopTicking = tickEvery(clock, TICK_MS, (stoppedMs) => this.#tick(stoppedMs));
    try {
      return await this.#outcome;
    } finally {
      stopTicking();
      await Promise.all([above.close(), below.close()]);
    }
  }

  /** Lets those below finish what they owe, leaves, and ends. */
  interrupt(signal: Signal): void {
    this.#handle({ type: "signal", signal });
  }

  /** Steps done when the last work was passed on; undefined before the first. */
  get step(): number | undefined {
    return this.#step;
  }

  /** Whether it is welcome above, and hears whoever is there. */
  get isConnected(): boolean {
    const { welcome, heardAt, ended } = this.#state;
    return welcome !== undefined && !ended && this.#options.clock.now() - heardAt < SILENCE_MS;
  }

  /** Members below that can be given work. */
  get workersReady(): number {
    return readyMembers(this.#state.members).length;
  }

  /** Who is below, and what each computes with. */
  roster(): { name: string; host: string; pid: number; engine: string; device: string; ready: boolean }[] {
    return [...this.#state.members.values()].map(({ name, host, pid, engine, device, ready }) => {
      return { name, host, pid, engine, device, ready };
    });
  }

  /** A sentence: why it cannot be given work now; undefined when it can. */
  unready(): string | undefined {
    const { welcome, ready, ended, leaving, identity } = this.#state;
    const above = `the coordinator or relay at ${this.#options.address}`;
    if (ended || leaving !== undefined) return "the relay is leaving";
    if (identity === undefined) return "nobody has joined below yet";
    if (welcome === undefined) return `${above} has not welcomed this relay yet`;
    if (!ready) return "nobody below is ready";
    return this.isConnected ? undefined : `nothing is heard of ${above}`;
  }

  #tick(stoppedMs: number): void {
    this.#handle({ type: "tick", stoppedMs });
    for (const { connections, reason } of this.#refused.due(this.#options.clock.now())) {
      const who = connections === 1 ? "somebody was" : `${connections} connections were`;
      this.#log({ event: "warning", text: `${who} not let in: ${reason}` });
    }
  }

  #take(frames: Frames): void {
    try {
      const { header, payload } = decodeFromCoordinator(frames);
      this.#options.metrics?.above.received.add(header.type, frames);
      this.#payload = payload;
      this.#handle({ type: "told", message: header });
    } catch (thrown) {
      this.#handleProblem(thrown, (problem) => ({ type: "told-malformed", problem }));
    }
    this.#payload = [];
  }

  /** Whether a message from below is to be looked at. A member that sends too many is given up. */
  #admit(peer: PeerId): boolean {
    if (this.#quota.admit(peer, this.#options.clock.now()) === "admitted") return true;
    if (this.#state.members.has(peer)) this.#handle({ type: "heard-malformed", peer, problem: TOO_MANY });
    else this.#options.metrics?.rejected("too-many");
    return false;
  }

  #hear(peer: PeerId, frames: Frames): void {
    if (!this.#admit(peer)) return;
    try {
      const { header, payload } = decodeFromWorker(frames);
      this.#options.metrics?.below.received.add(header.type, frames);
      const finite = header.type !== "result" || this.#sums.stage(header.slice, payload);
      this.#isRejected = false;
      this.#handle({ type: "heard", peer, message: header, finite });
      if ((header.type === "result" || header.type === "evaluated") && !this.#isRejected) this.#quota.earned(peer);
      this.#sums.discard();
    } catch (thrown) {
      this.#handleProblem(thrown, (problem) => ({ type: "heard-malformed", peer, problem }));
    }
  }

  #handleProblem(thrown: unknown, event: (problem: string) => TimedEvent): void {
    if (thrown instanceof LockstepError && thrown.code === "protocol") this.#handle(event(messageOf(thrown)));
    else this.#settle.reject(thrown);
  }

  #handle(event: TimedEvent): void {
    try {
      const [state, effects] = transition(this.#state, { ...event, at: this.#options.clock.now() } as Event);
      this.#state = state;
      for (const effect of effects) this.#carryOut(effect);
    } catch (thrown) {
      this.#settle.reject(thrown);
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "greet":
        this.#answer(this.#hello(effect.identity));
        break;
      case "answer":
        this.#answer(effect.message);
        break;
      case "send":
        this.#send(effect.peer, effect.message);
        break;
      case "send-parameters":
        this.#send(effect.peer, effect.message, this.#parameters.of(effect.message));
        break;
      case "send-assignment": {
        const { peer, task, items, message } = effect;
        const { step, slices } = message;
        this.#step = step;
        const frames = slices.map((slice) => this.#parameters.of({ slice, version: step, averaged: false }));
        this.#send(peer, message, this.#samples.of(task, items), ...frames);
        break;
      }
      case "keep-parameters": {
        const frame = this.#payload[effect.frame];
        if (frame !== undefined) this.#parameters.keep(effect, frame);
        break;
      }
      case "open-task":
        this.#sums.open(effect.task, effect.order.shardCount);
        this.#samples.keep(effect.task, effect.order, this.#payload[0] ?? new Uint8Array(0));
        break;
      case "accept":
        this.#sums.accept(effect.task, effect.nodes);
        break;
      case "forward":
        this.#forward(effect);
        break;
      case "close-task":
        this.#sums.close(effect.task);
        this.#samples.forget(effect.task);
        break;
      case "reject":
        this.#isRejected = true;
        this.#options.metrics?.rejected(effect.reason);
        break;
      case "say":
        if (effect.event === "welcomed") this.#noteWelcome();
        this.#log(effect);
        break;
      case "exit":
        this.#settle.resolve({ code: effect.code, text: effect.text });
        break;
      default:
        effect satisfies never;
    }
  }

  #forward({ task, session, step, slice, spent }: Extract<Effect, { type: "forward" }>): void {
    const { nodes, sums } = this.#sums.take(task, slice);
    // One message has room for the nodes of any contiguous run of shards; scattered ones may need several.
    for (let first = 0; first < nodes.length; first += LIMITS.nodes) {
      const part = nodes.slice(first, first + LIMITS.nodes);
      const payload = sums.slice(first, first + LIMITS.nodes);
      this.#answer({ type: "result", session, step, slice, spent, nodes: part }, ...payload);
    }
  }

  #answer(message: WorkerMessage, ...payload: readonly Float32Array[]): void {
    const frames = encode(message, ...payload);
    this.#options.metrics?.above.sent.add(message.type, frames);
    this.#options.above.send(frames);
  }

  /** @param payload passed on as it came */
  #send(peer: PeerId, message: CoordinatorMessage, ...payload: Frames): void {
    const frames = [...encode(message), ...payload];
    this.#options.metrics?.below.sent.add(message.type, frames);
    this.#options.below.send(peer, frames);
  }

  #hello(identity: Identity): WorkerMessage {
    return {
      ...{ type: "hello", protocol: PROTOCOL_VERSION, incarnation: this.#incarnation },
      ...{ host: hostname(), pid: process.pid, modelDigest: modelDigest(), ...identity },
    };
  }

  #noteWelcome(): void {
    const { welcome } = this.#state;
    if (welcome !== undefined) this.#options.metrics?.welcomed(welcome.name, welcome.runId);
  }

  #log({ event, text, worker }: { event: RelayEventName; text: string; worker?: string }): void {
    const { welcome } = this.#state;
    const about = worker ?? welcome?.name;
    this.#options.log({
      ...{ event, text },
      ...(about === undefined ? {} : { worker: about }),
      ...(welcome === undefined ? {} : { runId: welcome.runId }),
      ...(this.#step === undefined ? {} : { step: this.#step }),
    });
  }
}
