import type { Effect, Event, State } from "../../../src/relay/machine/types.ts";
import { SLICE_NAMES, type SliceName } from "../../../src/shared/model/contribution.ts";
import { copyOf } from "../../../src/shared/protocol/holdings.ts";
import type { Assign } from "../../../src/shared/protocol/messages.ts";
import { shardsUnder } from "../../../src/shared/reduction/tree.ts";

interface OpenTask {
  readonly order: Assign;
  /** Shards whose sums were accepted, by slice. */
  readonly accepted: Record<SliceName, Set<number>>;
  readonly forwarded: Set<SliceName>;
  /** Who was given which of its shards, by session. */
  readonly given: Map<string, Set<number>>;
}

/** What must hold for everything that the relay's machine asks for, whatever happens around it. */
export class RelayInvariants {
  readonly #open = new Map<number, OpenTask>();
  /** The versions that a member was sent and still keeps, by session and place. */
  readonly #held = new Map<string, Map<string, number>>();
  /** Versions that the relay keeps. */
  readonly #kept = new Map<string, number>();
  readonly #sessions = new Map<string, string>();

  /** Looks at one transition. @throws Error that names what is wrong */
  check(before: State, event: Event, after: State, effects: readonly Effect[]): void {
    if (event.type === "peer-lost") this.#sessions.delete(event.peer);
    ensure(!before.ended || effects.length === 0, "something is done after the end");
    for (const effect of effects) this.#checkEffect(effect, event);
    const ids = after.tasks.flatMap(({ id, order }) => (order.type === "assign" ? [id] : []));
    ensure(
      String(ids) === String([...this.#open.keys()]),
      `tasks ${ids.join()} are open, ${[...this.#open.keys()].join()} kept`,
    );
  }

  #checkEffect(effect: Effect, event: Event): void {
    switch (effect.type) {
      case "keep-parameters":
        this.#kept.set(placeOf(effect), effect.version);
        break;
      case "open-task":
        this.#open.set(effect.task, {
          ...{ order: effect.order, accepted: { dense: new Set(), conv: new Set() } },
          ...{ forwarded: new Set(), given: new Map() },
        });
        break;
      case "close-task":
        ensure(this.#open.delete(effect.task), `task ${effect.task} is closed, and was not open`);
        break;
      case "send":
        this.#checkSend(effect);
        break;
      case "send-parameters":
        this.#checkParameters(effect.peer, effect.message);
        break;
      case "send-assignment":
        this.#checkAssignment(effect);
        break;
      case "accept":
        this.#checkAccept(effect, event);
        break;
      case "forward": {
        const task = this.#task(effect.task);
        ensure(!task.forwarded.has(effect.slice), `${effect.slice} of task ${effect.task} is passed on twice`);
        ensure(
          task.accepted[effect.slice].size === task.order.shards.length,
          "a sum is passed on that is not complete",
        );
        ensure(effect.session === task.order.session && effect.step === task.order.step, "a sum of another session");
        task.forwarded.add(effect.slice);
        break;
      }
      default:
    }
  }

  #task(id: number): OpenTask {
    const task = this.#open.get(id);
    ensure(task !== undefined, `task ${id} is not open`);
    return task;
  }

  #checkSend({ peer, message }: Extract<Effect, { type: "send" }>): void {
    if (message.type === "welcome") {
      if (this.#sessions.get(peer) !== message.session) this.#held.set(message.session, new Map());
      this.#sessions.set(peer, message.session);
      return;
    }
    if (message.type !== "evaluate") return;
    ensure(message.session === this.#sessions.get(peer), `${peer} is given a chunk in a session that is not its own`);
    for (const slice of SLICE_NAMES) this.#requireHeld(message.session, slice, message.version, true);
  }

  #checkParameters(
    peer: string,
    { session, slice, version, averaged }: { session: string; slice: SliceName; version: number; averaged: boolean },
  ): void {
    ensure(session === this.#sessions.get(peer), `${peer} is sent parameters in a session that is not its own`);
    const place = placeOf({ slice, version, averaged });
    ensure(this.#kept.get(place) === version, `version ${version} of ${slice} is sent, which is not here`);
    const held = this.#held.get(session);
    ensure(held !== undefined && held.get(place) !== version, `version ${version} of ${slice} is sent twice`);
    held.set(place, version);
  }

  #checkAssignment({ peer, task: id, items, message }: Extract<Effect, { type: "send-assignment" }>): void {
    const task = this.#task(id);
    const { session, step, slices, shards } = message;
    for (const slice of slices) this.#checkParameters(peer, { session, slice, version: step, averaged: false });
    ensure(session === this.#sessions.get(peer), `${peer} is given work in a session that is not its own`);
    ensure(shards.length > 0, "an empty assignment");
    const expected = items.map((item) => task.order.shards[item]);
    ensure(JSON.stringify(shards) === JSON.stringify(expected), "other shards than those of the task");
    const places = SLICE_NAMES.map((slice) =>
      this.#held.get(session)?.get(placeOf({ slice, version: step, averaged: false })),
    );
    ensure(places.includes(step), `${peer} is given step ${step} without any of its parameters`);
    const given = task.given.get(session) ?? new Set();
    for (const { index } of shards) given.add(index);
    task.given.set(session, given);
  }

  #checkAccept({ task: id, slice, nodes }: Extract<Effect, { type: "accept" }>, event: Event): void {
    const task = this.#task(id);
    ensure(event.type === "heard" && event.message.type === "result", "a sum is accepted that nobody sent");
    const shards = shardsUnder(nodes, task.order.shardCount) ?? [];
    ensure(shards.length > 0, "nodes are accepted that the tree does not have");
    for (const shard of shards) {
      ensure(!task.accepted[slice].has(shard), `${slice} of shard ${shard} is accepted twice`);
      ensure(
        task.given.get(event.message.session)?.has(shard) === true,
        `shard ${shard} was not asked of whom it came from`,
      );
      task.accepted[slice].add(shard);
    }
  }

  #requireHeld(session: string, slice: SliceName, version: number, averaged: boolean): void {
    const held = this.#held.get(session)?.get(placeOf({ slice, version, averaged }));
    ensure(held === version, `${session} is given work on version ${version} without its ${slice} parameters`);
  }
}

const placeOf = ({ slice, version, averaged }: { slice: SliceName; version: number; averaged: boolean }): string =>
  `${slice} ${copyOf(version, averaged)}`;

function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${what}`);
}
