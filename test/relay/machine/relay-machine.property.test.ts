import fc from "fast-check";
import { expect, test } from "vitest";
import { initialState, transition } from "../../../src/relay/machine/machine.ts";
import type { Event, State } from "../../../src/relay/machine/types.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../../src/shared/protocol/messages.ts";
import { Draws } from "../../chaos/draws.ts";
import { TERMS } from "../../support/coordinator-script.ts";
import { SimulatedWorker } from "../../support/simulated-worker.ts";
import { ChanceParent } from "./chance-parent.ts";
import { RelayInvariants } from "./relay-invariants.ts";

type Untimed = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

interface Connection {
  readonly peer: string;
  readonly worker: SimulatedWorker;
  readonly up: { readonly message: WorkerMessage; readonly finite: boolean }[];
  readonly down: CoordinatorMessage[];
  isGone: boolean;
}

const SETTINGS = {
  ...{ address: "tcp://above", coordinatorTimeoutMs: Infinity, joinTimeoutMs: Infinity },
  ...{ incarnation: "r", modelDigest: TERMS.modelDigest },
};
const MOST_WORKERS = 5;

/** The relay's machine between a parent made of chance and workers' real machines, in a time made of chance. */
class RelayScene {
  readonly invariants = new RelayInvariants();
  readonly parent: ChanceParent;
  now = 0;
  readonly #draws: Draws;
  #state: State = initialState(SETTINGS, 0);
  #connections: Connection[] = [];
  #peers = 0;

  constructor(seed: number) {
    this.#draws = new Draws(seed);
    this.parent = new ChanceParent(this.#draws);
  }

  get state(): State {
    return this.#state;
  }

  happen(): void {
    const dice = this.#draws.uniform();
    const connection = this.#pick();
    if (dice < 0.2) this.#fromParent();
    else if (dice < 0.4) this.#fromWorker(connection);
    else if (dice < 0.6) this.#toWorker(connection);
    else if (dice < 0.75) connection?.worker.work();
    else if (dice < 0.82) this.parent.work();
    else if (dice < 0.86) this.parent.ping();
    else if (dice < 0.93) this.pass(this.#draws.below(700));
    else if (dice < 0.96) this.join();
    else if (dice < 0.97) this.#lose(connection);
    else if (dice < 0.975 && connection !== undefined) connection.worker.breaks = true;
    else if (dice < 0.98) connection?.down.shift();
    else if (dice < 0.985) connection?.worker.leave();
    else if (dice < 0.988) this.parent.forget("silently");
    else if (dice < 0.991 && connection !== undefined) {
      this.handle({ type: "heard-malformed", peer: connection.peer, problem: "nonsense" });
    } else if (dice < 0.995 && connection?.up[0] !== undefined) connection.up.push(connection.up[0]);
    else if (dice < 0.996) this.handle({ type: "told-malformed", problem: "nonsense" });
    this.#bury();
  }

  join(): void {
    if (this.#connections.length >= MOST_WORKERS) return;
    this.#peers += 1;
    const up: Connection["up"] = [];
    const worker = new SimulatedWorker(
      `w${this.#peers}`,
      () => this.now,
      (message, finite) => up.push({ message, finite }),
    );
    this.#connections.push({ peer: `p${this.#peers}`, worker, up, down: [], isGone: false });
  }

  pass(ms: number): void {
    this.now += ms;
    for (const { worker } of this.#connections) worker.tick();
    this.handle({ type: "tick", stoppedMs: 0 });
  }

  /** Seconds in which everything that can happen does, and nothing goes wrong. */
  calm(seconds: number): void {
    for (let i = 0; i < 4 * seconds; i++) {
      this.pass(250);
      this.parent.ping();
      for (let rounds = 0; this.#isActive(); rounds++) {
        if (rounds > 10_000) throw new Error("the scene never comes to rest");
        this.#fromParent();
        for (const connection of this.#connections) {
          this.#fromWorker(connection);
          this.#toWorker(connection);
          connection.worker.work();
        }
        this.#bury();
      }
    }
  }

  #isActive(): boolean {
    return (
      this.parent.queue.length > 0 ||
      this.#connections.some(({ up, down, worker }) => up.length + down.length > 0 || worker.busy)
    );
  }

  handle(event: Untimed): void {
    const before = this.#state;
    const timed = { ...event, at: this.now } as Event;
    const [state, effects] = transition(before, timed);
    this.#state = state;
    this.invariants.check(before, timed, state, effects);
    for (const effect of effects) {
      if (effect.type === "greet") {
        const { identity } = effect;
        const { modelDigest } = SETTINGS;
        this.parent.hear({ type: "hello", protocol: 3, incarnation: "r", host: "h", pid: 1, modelDigest, ...identity });
      } else if (effect.type === "answer") this.parent.hear(effect.message);
      else if (effect.type === "send" || effect.type === "send-parameters" || effect.type === "send-assignment") {
        this.#connections.find(({ peer }) => peer === effect.peer)?.down.push(effect.message);
      } else if (effect.type === "forward") {
        const order = before.tasks.find(({ id }) => id === effect.task)?.order;
        const shards = order?.type === "assign" ? order.shards.map(({ index }) => index) : [];
        this.parent.receive(effect.session, effect.step, effect.slice, shards);
      }
    }
  }

  #fromParent(): void {
    const message = this.parent.queue.shift();
    if (message !== undefined) this.handle({ type: "told", message });
  }

  #fromWorker(connection: Connection | undefined): void {
    const next = connection?.up.shift();
    if (connection !== undefined && next !== undefined) this.handle({ type: "heard", peer: connection.peer, ...next });
  }

  #toWorker(connection: Connection | undefined): void {
    const message = connection?.down.shift();
    if (message !== undefined) connection?.worker.receive(message);
  }

  #lose(connection: Connection | undefined): void {
    if (connection === undefined) return;
    connection.isGone = true;
    this.#bury();
  }

  #bury(): void {
    const gone = this.#connections.filter(({ isGone, worker, up }) => isGone || (worker.ended && up.length === 0));
    this.#connections = this.#connections.filter((each) => !gone.includes(each));
    for (const { peer } of gone) this.handle({ type: "peer-lost", peer, reason: "its connection was lost" });
  }

  #pick(): Connection | undefined {
    return this.#connections.length === 0 ? undefined : this.#draws.pick(this.#connections);
  }
}

test("whatever happens around a relay, it passes on whole sums of what it owes, once, and nothing stays undone", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 1_200 }), (seed, happenings) => {
      const scene = new RelayScene(seed);
      scene.join();
      for (let i = 0; i < happenings; i++) scene.happen();
      scene.join();
      // A connection's end, a lost message or a bad answer takes a while to be noticed.
      scene.calm(12);
      expect(scene.parent.isReady).toBe(true);
      scene.parent.work();
      scene.calm(6);
      expect(scene.parent.owed).toEqual([]);
    }),
    { numRuns: 250 },
  );
}, 60_000);
