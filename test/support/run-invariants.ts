import type { Correct, Effect, Event, Outcome, Plan } from "../../src/coordinator/machine/types.ts";
import { SLICE_NAMES, type SliceName } from "../../src/shared/model/contribution.ts";
import { endShard, firstShard } from "../../src/shared/reduction/tree.ts";

/** What must hold for everything that the coordinator's machine asks for, whatever happens around it. */
export class RunInvariants {
  outcome: Outcome | undefined;
  /** Steps, those before the start included. */
  committed: number;
  /** Counts of correct images by epoch, from the first one on that any life has evaluated. */
  readonly evaluated: Correct[] = [];
  readonly #firstEpoch: number;
  readonly #plan: Plan;
  /** The versions that a member was sent and still keeps, by session and place. */
  readonly #held = new Map<string, Map<string, number>>();
  readonly #sessions = new Map<string, string>();
  /** Sessions whose workers have said that they are leaving. */
  readonly #leaving = new Set<string>();
  #shardCount = 0;
  #begun: number;
  #accepted: Record<SliceName, Set<number>> = { dense: new Set(), conv: new Set() };
  #applied = new Set<SliceName>();

  constructor(plan: Plan, firstEpoch = plan.start.evaluatedEpochs) {
    this.#firstEpoch = firstEpoch;
    this.#plan = plan;
    this.committed = plan.start.step;
    this.#begun = plan.start.step - 1;
  }

  /** Those of the coordinator's next life. @param evaluated what it knows of this one's evaluations */
  restarted(plan: Plan, evaluated: readonly Correct[]): RunInvariants {
    const next = new RunInvariants(plan, this.#firstEpoch);
    next.evaluated.push(...evaluated);
    return next;
  }

  /** Looks at one transition. @throws Error that names what is wrong */
  check(event: Event, effects: readonly Effect[]): void {
    const asking = event.type === "message" ? event.peer : undefined;
    if (event.type === "peer-lost") this.#sessions.delete(event.peer);
    if (event.type === "message" && event.message.type !== "hello") {
      const { peer, message } = event;
      const isCurrent = message.session === this.#sessions.get(peer);
      if (isCurrent && (message.type === "failed" || message.type === "leaving")) this.#leaving.add(message.session);
      const isGone = message.type === "failed" || (message.type === "leaving" && !message.finishing);
      if (isCurrent && isGone) this.#sessions.delete(peer);
    }
    for (const effect of effects) {
      ensure(
        this.outcome === undefined || effect.type === "reject" || effect.type === "refuse",
        `${effect.type} after the end`,
      );
      this.#checkEffect(effect, asking);
    }
  }

  #checkEffect(effect: Effect, asking: string | undefined): void {
    // A worker that is leaving waits for this one answer.
    const isFarewell = effect.type === "stop" && effect.reason === "left" && this.#leaving.has(effect.session);
    if ("session" in effect && effect.type !== "welcome" && !isFarewell) {
      ensure(
        this.#sessions.get(effect.peer) === effect.session,
        `${effect.type} is sent to ${effect.peer}, which has left`,
      );
    }
    if (effect.type === "stop" && effect.reason === "left") this.#sessions.delete(effect.peer);
    if (effect.type === "assign" || effect.type === "evaluate") {
      ensure(!this.#leaving.has(effect.session), `${effect.peer}, which is leaving, is given work`);
    }
    switch (effect.type) {
      case "welcome":
        ensure(effect.peer === asking, "a welcome that nobody asked for");
        if (this.#sessions.get(effect.peer) !== effect.session) this.#held.set(effect.session, new Map());
        this.#sessions.set(effect.peer, effect.session);
        break;
      case "refuse":
        // Either an answer, or the end of a membership.
        ensure(
          effect.peer === asking || this.#sessions.delete(effect.peer),
          `${effect.peer} is refused out of the blue`,
        );
        break;
      case "send-parameters":
        this.#checkParameters(effect);
        break;
      case "assign":
        this.#checkAssign(effect);
        break;
      case "evaluate":
        ensure(effect.version === this.committed, "a version that is not current is evaluated");
        this.#requireHeld(effect.session, effect.version, true);
        break;
      case "begin-step":
        this.#beginStep(effect);
        break;
      case "accept":
        for (const node of effect.nodes) {
          for (let shard = firstShard(node); shard < endShard(node, this.#shardCount); shard++) {
            ensure(!this.#accepted[effect.slice].has(shard), `${effect.slice} of shard ${shard} is accepted twice`);
            this.#accepted[effect.slice].add(shard);
          }
        }
        break;
      case "apply-slice":
        ensure(effect.step === this.#begun, "another step's slice is applied");
        ensure(!this.#applied.has(effect.slice), `${effect.slice} is applied twice`);
        ensure(
          this.#accepted[effect.slice].size === this.#shardCount,
          `${effect.slice} is applied before it is complete`,
        );
        this.#applied.add(effect.slice);
        break;
      case "commit-step":
        ensure(effect.step === this.committed, `step ${effect.step} is committed after ${this.committed} steps`);
        ensure(this.#applied.size === SLICE_NAMES.length, "a step is committed before its slices are applied");
        this.committed += 1;
        break;
      case "epoch-evaluated":
        ensure(this.committed === (effect.epoch + 1) * this.#plan.stepsPerEpoch, "an epoch is evaluated out of turn");
        ensure(effect.epoch === this.#firstEpoch + this.evaluated.length, "epochs are evaluated out of order");
        this.evaluated.push(effect.correct);
        break;
      case "end-evaluated":
        ensure(this.committed % this.#plan.stepsPerEpoch !== 0, "an epoch's evaluation is taken for that of the end");
        ensure(this.#plan.runLimitMs < Infinity, "a run without a limit is ended amid an epoch");
        this.evaluated.push(effect.correct);
        break;
      case "finish":
        this.outcome = effect.outcome;
        this.#sessions.clear();
        break;
      default:
    }
  }

  #checkAssign({ session, step, shards, slices }: Extract<Effect, { type: "assign" }>): void {
    const isAhead = step === this.#begun + 1 && this.#applied.size > 0;
    ensure(step === this.#begun || isAhead, `step ${step} is assigned during step ${this.#begun}`);
    ensure(
      !isAhead || step % this.#plan.stepsPerEpoch !== 0,
      "a step is assigned before the evaluation that precedes it",
    );
    ensure(shards.length > 0, "an empty assignment");
    ensure(
      shards.every((shard) => shard < this.#shardCountOf(step)),
      "a shard that does not exist is assigned",
    );
    for (const slice of slices) this.#checkParameters({ session, version: step, slice, averaged: false });
    // What is not there yet follows.
    const needed = isAhead ? SLICE_NAMES.filter((slice) => this.#applied.has(slice)) : SLICE_NAMES;
    this.#requireHeld(session, step, false, needed);
  }

  #shardCountOf(step: number): number {
    const { stepsPerEpoch, shardsPerStep, shardsInLastStep } = this.#plan;
    return (step + 1) % stepsPerEpoch === 0 ? shardsInLastStep : shardsPerStep;
  }

  #beginStep({ step, shardCount }: Extract<Effect, { type: "begin-step" }>): void {
    ensure(step === this.committed && step === this.#begun + 1, `step ${step} begins after ${this.committed} steps`);
    ensure(shardCount === this.#shardCountOf(step), "wrong shard count");
    this.#begun = step;
    this.#shardCount = shardCount;
    this.#accepted = { dense: new Set(), conv: new Set() };
    this.#applied = new Set();
  }

  #checkParameters({
    session,
    version,
    slice,
    averaged,
  }: Pick<Extract<Effect, { type: "send-parameters" }>, "session" | "version" | "slice" | "averaged">): void {
    const isNext = !averaged && version === this.committed + 1 && this.#applied.has(slice);
    ensure(version === this.committed || isNext, `version ${version} of ${slice} is sent, which does not exist`);
    const held = this.#held.get(session);
    const place = placeOf(slice, version, averaged);
    ensure(held !== undefined && held.get(place) !== version, `version ${version} of ${slice} is sent twice`);
    held.set(place, version);
  }

  #requireHeld(session: string, version: number, averaged: boolean, slices = SLICE_NAMES): void {
    for (const slice of slices) {
      const held = this.#held.get(session)?.get(placeOf(slice, version, averaged));
      ensure(held === version, `${session} is given work on version ${version} without its ${slice} parameters`);
    }
  }
}

/** Where a worker puts a version: it keeps the latest even, the latest odd and the latest averaged one. */
const placeOf = (slice: SliceName, version: number, averaged: boolean): string =>
  `${slice} ${averaged ? "averaged" : version % 2}`;

function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${what}`);
}
