import { SLICE_NAMES } from "../../../src/shared/model/contribution.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../../src/shared/protocol/messages.ts";
import type { Draws } from "../../chaos/draws.ts";
import { welcomeOf } from "../../support/welcome.ts";

/**
 * Whoever is above a relay, made of chance: it keeps to the protocol, gives out steps and evaluations, ahead of time too,
 * goes on when others have done the work, forgets the relay at times, and remembers what it is still owed.
 */
export class ChanceParent {
  /** What is on its way to the relay, in order. */
  readonly queue: CoordinatorMessage[] = [];
  readonly #draws: Draws;
  readonly #shardCount: number;
  #session: string | undefined;
  #ready = false;
  #lives = 0;
  #pings = 0;
  #version = 0;
  /** Slices that are still missing of shards, and chunks, by their names. */
  readonly #owed = new Set<string>();
  #ahead = false;

  constructor(draws: Draws) {
    this.#draws = draws;
    this.#shardCount = 1 + draws.below(12);
  }

  get owed(): readonly string[] {
    return [...this.#owed];
  }

  get isReady(): boolean {
    return this.#ready;
  }

  hear(message: WorkerMessage): void {
    if (message.type === "hello") {
      if (this.#session === undefined) this.#newSession();
      this.#welcome();
      return;
    }
    if (message.session !== this.#session) return;
    if (message.type === "ready") this.#ready = true;
    else if (message.type === "pong") this.#ready ||= message.ready;
    else if (message.type === "evaluated") this.#owed.delete(`chunk ${message.chunk}`);
    else if (message.type === "leaving") this.forget("left");
  }

  /** The relay has passed a slice on. */
  receive(session: string, step: number, slice: string, shards: readonly number[]): void {
    if (session !== this.#session || step !== this.#version) return;
    for (const shard of shards) this.#owed.delete(`${slice} ${shard}`);
  }

  /** The relay is not known any more. */
  forget(how: "left" | "silently"): void {
    if (how === "left" && this.#session !== undefined)
      this.#send({ type: "stop", session: this.#session, reason: "left" });
    else this.#send({ type: "rejected", code: "unknown-session", message: "not known" });
    this.#session = undefined;
    this.#ready = false;
    this.#owed.clear();
  }

  ping(): void {
    if (this.#session === undefined) return;
    this.#pings += 1;
    this.#send({ type: "ping", session: this.#session, step: this.#version, id: this.#pings });
  }

  /** Gives out the next work, whether or not the last is done. */
  work(): void {
    const session = this.#session;
    if (session === undefined || !this.#ready) return;
    this.#owed.clear();
    if (this.#ahead) {
      // It was sent its shards and its dense slice before.
      this.#version += 1;
      this.#ahead = false;
      this.#send({ type: "parameters", session, version: this.#version, slice: "conv", averaged: false });
      this.#owe(this.#lastAhead);
    } else if (this.#draws.uniform() < 0.15) {
      this.#evaluate(session);
    } else {
      this.#version += 1;
      const shards = this.#someShards();
      this.#assign(session, this.#version, shards, SLICE_NAMES);
      this.#owe(shards);
      if (this.#draws.uniform() < 0.3) {
        const rest = [...Array(this.#shardCount).keys()].filter((shard) => !shards.includes(shard));
        if (rest.length > 0) this.#assign(session, this.#version, rest, []);
        this.#owe(rest);
      }
    }
    if (this.#draws.uniform() < 0.4) this.#giveAhead(session);
  }

  #lastAhead: readonly number[] = [];

  #giveAhead(session: string): void {
    this.#ahead = true;
    this.#lastAhead = this.#someShards();
    this.#assign(session, this.#version + 1, this.#lastAhead, ["dense"]);
  }

  #evaluate(session: string): void {
    this.#version += 1;
    for (const slice of SLICE_NAMES) {
      this.#send({ type: "parameters", session, version: this.#version, slice, averaged: true });
    }
    for (let chunk = this.#draws.below(6); chunk >= 0; chunk--) {
      this.#send({
        type: "evaluate",
        session,
        version: this.#version,
        chunk,
        images: "test",
        first: chunk * 100,
        count: 100,
      });
      this.#owed.add(`chunk ${chunk}`);
    }
  }

  #assign(session: string, step: number, indices: readonly number[], slices: readonly ("dense" | "conv")[]): void {
    const shards = indices.map((index) => ({ index, count: 1 }));
    const message: CoordinatorMessage = {
      ...{ type: "assign", session, step, epoch: 0, slices: [...slices], shards },
      ...{ shardCount: this.#shardCount, globalCount: this.#shardCount },
    };
    this.#send(message);
    // It may come twice.
    if (this.#draws.uniform() < 0.1) this.#send(message);
  }

  #owe(shards: readonly number[]): void {
    for (const shard of shards) for (const slice of SLICE_NAMES) this.#owed.add(`${slice} ${shard}`);
  }

  #someShards(): number[] {
    const first = this.#draws.below(this.#shardCount);
    const all = [...Array(this.#shardCount).keys()].slice(first);
    const some = all.filter(() => this.#draws.uniform() < 0.7);
    return some.length > 0 ? some : [first];
  }

  #newSession(): void {
    this.#lives += 1;
    [this.#session, this.#ready, this.#ahead] = [`c/${this.#lives}`, false, false];
  }

  #welcome(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#send(welcomeOf({ session, runId: "runs/a" }));
  }

  #send(message: CoordinatorMessage): void {
    this.queue.push(message);
  }
}
