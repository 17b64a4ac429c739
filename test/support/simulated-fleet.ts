import type { EventLog } from "../../src/coordinator/event-recording.ts";
import { initialState, transition } from "../../src/coordinator/machine/machine.ts";
import { effectText, eventText } from "../../src/coordinator/machine/transcript.ts";
import type { Effect, Event, Plan, State } from "../../src/coordinator/machine/types.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../src/shared/protocol/messages.ts";
import { uniformFrom } from "./floats.ts";
import { RunInvariants } from "./run-invariants.ts";
import { type Send, SimulatedWorker } from "./simulated-worker.ts";
import { welcomeOf } from "./welcome.ts";

type Untimed = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

interface ToCoordinator {
  readonly message: WorkerMessage;
  readonly finite: boolean;
}

/** One worker's connection; a worker that reconnects gets another. */
interface Connection {
  readonly peer: string;
  worker: SimulatedWorker | undefined;
  /** Its process is stopped until then. */
  frozenUntil: number;
  readonly toCoordinator: ToCoordinator[];
  readonly toWorker: CoordinatorMessage[];
}

/**
 * The coordinator's machine and workers' machines under a time and a network made of chance: every run of the same seed
 * is the same. Messages of a connection stay in order, as the transports promise; from the worker they may come again.
 */
export class SimulatedFleet {
  invariants: RunInvariants;
  readonly transcript: string[] = [];
  now = 0;
  /** Computations whose numbers were not finite. */
  broken = 0;
  interrupted = false;
  /** Lives of the coordinator, less one. */
  restarts = 0;
  readonly #chance: () => number;
  readonly #plan: Plan;
  readonly #log: EventLog | undefined;
  #state: State;
  #connections: Connection[] = [];
  /** Connections that are gone, with messages that are still to be read. */
  readonly #drained: Connection[] = [];
  /** Dead peers to which something was sent: the transport is about to say so. */
  readonly #unreachable = new Set<string>();
  #peers = 0;
  #workers = 0;

  /** @param log is told of every life of the coordinator, one after the other */
  constructor(plan: Plan, seed: number, log?: EventLog) {
    this.#plan = plan;
    this.#log = log;
    this.#chance = uniformFrom(seed);
    this.invariants = new RunInvariants(plan);
    this.#state = initialState(plan, "c");
    log?.begin(this.#state);
    this.#handle({ type: "start" });
  }

  get over(): boolean {
    return this.invariants.outcome !== undefined;
  }

  /** Workers that are not about to leave. */
  get alive(): number {
    return this.#connections.filter(({ worker }) => worker?.state.leaving === undefined).length;
  }

  join(): void {
    this.#workers += 1;
    const name = `w${this.#workers}`;
    const send: Send = (message, finite) => {
      if (message.type === "result" && !finite) this.broken += 1;
      // The first greeting finds no connection yet, and is lost.
      this.#connectionOf(name)?.toCoordinator.push({ message, finite });
    };
    const worker = new SimulatedWorker(name, () => this.now, send);
    this.#connect().worker = worker;
  }

  #connect(): Connection {
    this.#peers += 1;
    const connection: Connection = {
      peer: `p${this.#peers}`,
      worker: undefined,
      frozenUntil: 0,
      toCoordinator: [],
      toWorker: [],
    };
    this.#connections.push(connection);
    return connection;
  }

  #connectionOf(worker: string): Connection | undefined {
    return this.#connections.find((connection) => connection.worker?.name === worker);
  }

  /** One thing that may happen, by chance. */
  happen(): void {
    const dice = this.#chance();
    if (dice < 0.3) this.#deliverToCoordinator(this.#pick(this.#connections));
    else if (dice < 0.55) this.#deliverToWorker(this.#pick(this.#connections));
    else if (dice < 0.78) this.#work(this.#pick(this.#connections));
    else if (dice < 0.785) this.#lose(this.#pick(this.#connections));
    else if (dice < 0.795) this.#freeze(this.#pick(this.#connections));
    else if (dice < 0.7955) this.#restart();
    else if (dice < 0.86) this.#pass(Math.floor(this.#chance() * 400));
    else if (dice < 0.89) this.#say("tick");
    else if (dice < 0.91) this.#reportUnreachable();
    else if (dice < 0.92) this.#repeat(this.#pick(this.#connections));
    else if (dice < 0.93) this.#repeatToWorker(this.#pick(this.#connections));
    else if (dice < 0.945) this.#deliverToCoordinator(this.#pick(this.#drained));
    else if (dice < 0.96 && this.alive < 6) this.join();
    else if (dice < 0.97) this.#reconnect(this.#pick(this.#connections));
    else if (dice < 0.98) this.#pick(this.#connections)?.worker?.leave();
    else if (dice < 0.99) this.#drop(this.#pick(this.#connections));
    else if (dice < 0.996) this.#break(this.#pick(this.#connections));
    else if (dice < 0.9965) this.#say("interrupt");
    this.#buryEnded();
  }

  /** One thing of those that happen when nothing goes wrong. */
  happenWell(): void {
    const dice = this.#chance();
    if (dice < 0.35) this.#deliverToCoordinator(this.#pick(this.#connections));
    else if (dice < 0.65) this.#deliverToWorker(this.#pick(this.#connections));
    else if (dice < 0.93) this.#work(this.#pick(this.#connections));
    else if (dice < 0.97) this.#pass(Math.floor(this.#chance() * 100));
    else this.#say("tick");
  }

  /** A second in which everything that can happen does, and nothing goes wrong. */
  calmSecond(): void {
    for (let i = 0; i < 4 && !this.over; i++) {
      this.#pass(250);
      this.#say("tick");
      for (const connection of this.#connections) connection.frozenUntil = 0;
      for (let rounds = 0; this.#connections.some(isActive); rounds++) {
        if (rounds > 10_000) throw new Error("the fleet never comes to rest");
        for (const connection of this.#connections) {
          this.#deliverToCoordinator(connection);
          this.#deliverToWorker(connection);
          this.#work(connection);
        }
        this.#buryEnded();
        if (this.over) return;
      }
      while (this.#unreachable.size > 0) this.#reportUnreachable();
    }
  }

  #pass(ms: number): void {
    this.now += ms;
    for (const { worker, frozenUntil } of this.#connections) if (frozenUntil <= this.now) worker?.tick();
  }

  #say(what: "tick" | "interrupt"): void {
    if (what === "tick") this.#handle({ type: "tick", stoppedMs: 0 });
    else {
      this.interrupted = true;
      this.#handle({ type: "interrupt", signal: "SIGINT" });
    }
  }

  #deliverToCoordinator(connection: Connection | undefined): void {
    const next = connection?.toCoordinator.shift();
    if (connection !== undefined && next !== undefined)
      this.#handle({ type: "message", peer: connection.peer, ...next });
  }

  #deliverToWorker(connection: Connection | undefined): void {
    if (connection === undefined || connection.frozenUntil > this.now) return;
    const next = connection.toWorker.shift();
    if (next !== undefined) connection.worker?.receive(next);
  }

  /** A message comes twice, the second time after some others. */
  #repeat(connection: Connection | undefined): void {
    const message = connection?.toCoordinator[0];
    // A bad answer that comes twice cannot be told from two bad answers.
    if (message?.finite !== true) return;
    connection?.toCoordinator.splice(1 + Math.floor(this.#chance() * connection.toCoordinator.length), 0, message);
  }

  #work(connection: Connection | undefined): void {
    if (connection !== undefined && connection.frozenUntil <= this.now) connection.worker?.work();
  }

  /** A message is lost, though the connection stands. */
  #lose(connection: Connection | undefined): void {
    const queue = this.#chance() < 0.5 ? connection?.toCoordinator : connection?.toWorker;
    queue?.splice(Math.floor(this.#chance() * queue.length), 1);
  }

  #freeze(connection: Connection | undefined): void {
    if (connection !== undefined) connection.frozenUntil = this.now + this.#chance() * 12_000;
  }

  /**
   * The coordinator is killed, and another takes the run up from the last checkpoint. Workers connect again by themselves:
   * what they had sent reaches the new one, what was sent to them is lost.
   */
  #restart(): void {
    if (this.over || this.interrupted) return;
    this.restarts += 1;
    const { committed, evaluated } = this.invariants;
    const { stepsPerEpoch, start } = this.#plan;
    const step = Math.max(start.step, Math.floor(this.#chance() * (committed + 1)));
    const evaluatedEpochs = Math.min(Math.floor(step / stepsPerEpoch), start.evaluatedEpochs + evaluated.length);
    const known = evaluated.slice(0, evaluatedEpochs - start.evaluatedEpochs);
    this.#state = initialState({ ...this.#plan, start: { step, evaluatedEpochs } }, `c${this.restarts}`);
    this.#log?.begin(this.#state);
    this.invariants = this.invariants.restarted(this.#state.plan, known);
    this.transcript.push(`the coordinator restarts at step ${step}`);
    for (const { worker, toCoordinator } of this.#connections.splice(0)) {
      const connection = this.#connect();
      connection.worker = worker;
      connection.toCoordinator.push(...toCoordinator);
    }
    this.#drained.length = 0;
    this.#unreachable.clear();
    this.#handle({ type: "start" });
  }

  #repeatToWorker(connection: Connection | undefined): void {
    const message = connection?.toWorker[0];
    if (message === undefined) return;
    connection?.toWorker.splice(1 + Math.floor(this.#chance() * connection.toWorker.length), 0, message);
  }

  /** The connection breaks and the worker, unaware of it, gets another one. */
  #reconnect(connection: Connection | undefined): void {
    if (connection === undefined) return;
    const { worker } = connection;
    this.#drop(connection);
    this.#connect().worker = worker;
  }

  /** The worker is gone; what it has sent last may still be read. */
  #drop(connection: Connection | undefined): void {
    if (connection === undefined) return;
    this.#connections = this.#connections.filter((other) => other !== connection);
    this.#drained.push({ ...connection, worker: undefined });
    if (this.#chance() < 0.5) this.#unreachable.add(connection.peer);
  }

  #break(connection: Connection | undefined): void {
    if (connection?.worker !== undefined) connection.worker.breaks = true;
  }

  #buryEnded(): void {
    for (const connection of this.#connections) if (connection.worker?.ended === true) this.#drop(connection);
  }

  #reportUnreachable(): void {
    const [peer] = this.#unreachable;
    if (peer === undefined) return;
    this.#unreachable.delete(peer);
    this.#handle({ type: "peer-lost", peer, reason: "its connection was lost" });
  }

  #handle(event: Untimed): void {
    const timed = { ...event, at: this.now } as Event;
    const [state, effects] = transition(this.#state, timed);
    this.#state = state;
    this.#log?.record(timed, effects);
    this.transcript.push(eventText(timed), ...effects.map((effect) => `  ${effectText(effect)}`));
    this.invariants.check(timed, effects);
    for (const effect of effects)
      for (const [peer, message] of messagesOf(effect, this.#plan)) this.#send(peer, message);
  }

  #send(peer: string, message: CoordinatorMessage): void {
    const connection = this.#connections.find((each) => each.peer === peer);
    if (connection === undefined) this.#unreachable.add(peer);
    else connection.toWorker.push(message);
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#chance() * items.length)];
  }
}

const isActive = ({ toCoordinator, toWorker, worker }: Connection): boolean =>
  toCoordinator.length + toWorker.length > 0 || worker?.busy === true;

/** What the coordinator's shell makes of an effect. */
function messagesOf(effect: Effect, plan: Plan): [peer: string, message: CoordinatorMessage][] {
  switch (effect.type) {
    case "welcome": {
      const { peer, session, name } = effect;
      return [[peer, welcomeOf({ session, name })]];
    }
    case "refuse":
      return [[effect.peer, { type: "rejected", code: effect.code, message: effect.message }]];
    case "ping":
      return [[effect.peer, { type: "ping", session: effect.session, step: effect.step, id: effect.id }]];
    case "stop":
      return [[effect.peer, { type: "stop", session: effect.session, reason: effect.reason }]];
    case "send-parameters": {
      const { peer, session, version, slice, averaged } = effect;
      return [[peer, { type: "parameters", session, version, slice, averaged }]];
    }
    case "assign": {
      const { peer, session, step } = effect;
      const slices = [...effect.slices];
      const shardCount = (step + 1) % plan.stepsPerEpoch === 0 ? plan.shardsInLastStep : plan.shardsPerStep;
      const shards = effect.shards.map((index) => ({ index, count: 1 }));
      return [[peer, { type: "assign", session, step, epoch: 0, shardCount, globalCount: shardCount, shards, slices }]];
    }
    case "evaluate": {
      const { peer, session, version } = effect;
      return effect.chunks.map((chunk) => [
        peer,
        { type: "evaluate", session, version, chunk, images: "test", first: chunk, count: 1 },
      ]);
    }
    default:
      return [];
  }
}
