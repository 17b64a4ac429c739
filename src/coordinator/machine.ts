import type { TrainingEvent } from "../shared/events.ts";
import { type SliceName, SLICE_NAMES } from "../shared/model/contribution.ts";
import { heldAt, holding, NOTHING_HELD } from "../shared/protocol/holdings.ts";
import type { Hello, WorkerMessage } from "../shared/protocol/messages.ts";
import { endShard, firstShard, isNode, type TreeNode } from "../shared/reduction/tree.ts";
import type { PeerId } from "../shared/transport/transport.ts";
import type { Effect, Event, Evaluating, Outcome, Plan, Rejection, Signal, State, Training } from "./machine-types.ts";
import { type Member, objection, readyMembers, withMember, withoutMember } from "./membership.ts";
import {
  deliver,
  isDelivered,
  judge,
  newBoard,
  owedBy,
  owedPart,
  owners,
  setOwner,
  share,
  unowned,
} from "./work-board.ts";

/**
 * The coordinator's decisions, pure: the same events in the same order always lead to the same state and effects.
 *
 * Bytes never come here. A result is ids and counts; the shell holds its payload until the machine says `accept`.
 * Weights cannot depend on what is decided here, since the reduction tree fixes every addition; what depends on it is
 * that each shard counts exactly once and that the run neither stalls nor ends early.
 */

const PING_INTERVAL_MS = 1_000;
/** A connection's end is noticed by sending: probe sooner where the step waits for somebody. */
const PING_INTERVAL_OWING_MS = 250;
const WAITING_REPORT_MS = 10_000;

export function initialState(plan: Plan, incarnation: string): State {
  return {
    plan,
    incarnation,
    members: new Map(),
    welcomed: 0,
    phase: { type: "finished" },
    interruptedBy: undefined,
    waiting: undefined,
    engines: [],
  };
}

export function transition(state: State, event: Event): [State, Effect[]] {
  const machine = new Transition(state, event.at);
  machine.take(event);
  return [machine.state, machine.effects];
}

/** One transition under way: the state so far and the effects so far. Lives only within `transition`. */
class Transition {
  state: State;
  readonly effects: Effect[] = [];
  readonly #at: number;

  constructor(state: State, at: number) {
    this.state = state;
    this.#at = at;
  }

  take(event: Event): void {
    switch (event.type) {
      case "start":
        this.#beginStep(0);
        break;
      case "message":
        this.#takeMessage(event.peer, event.message, event.finite);
        break;
      case "malformed":
        this.#takeMalformed(event.peer, event.problem);
        break;
      case "peer-lost":
        this.#remove(event.peer, event.reason, true);
        break;
      case "process-exited":
        for (const member of this.state.members.values()) {
          if (member.pid === event.pid) this.#remove(member.peer, event.reason, true);
        }
        break;
      case "tick":
        this.#tick();
        break;
      case "interrupt":
        this.#interrupt(event.signal);
        break;
      default:
        event satisfies never;
    }
    this.#distribute();
    this.#watchInterrupt();
  }

  // ---- messages

  #takeMessage(peer: PeerId, message: WorkerMessage, finite: boolean): void {
    if (message.type === "hello") {
      this.#greet(peer, message);
      return;
    }
    const member = this.state.members.get(peer);
    if (member === undefined) {
      // Most likely it was given up while it was silent: it may come back as a new member.
      this.#reject("unknown-session");
      const told = "this coordinator does not know the worker, or has given it up: greet again";
      this.effects.push({ type: "refuse", peer, code: "unknown-session", message: told });
      return;
    }
    if (message.session !== member.session) {
      this.#reject("stale-session");
      return;
    }
    switch (message.type) {
      case "ready":
        this.#welcomeReady(member);
        break;
      case "result":
        this.#takeResult(member, message, finite);
        break;
      case "evaluated":
        this.#takeEvaluated(member, message);
        break;
      case "pong":
        if (message.computed > member.computed) {
          this.#setMember({ ...member, computed: message.computed, progressAt: this.#at });
        }
        break;
      case "leaving":
        this.#remove(peer, message.reason, false);
        break;
      case "failed":
        this.#report({ type: "warning", message: `${member.name} failed: ${message.stack || message.message}` });
        this.#remove(peer, `failed: ${message.message}`, true);
        break;
      default:
        message satisfies never;
    }
  }

  /** No other answer would come from a member for what it owes: it is given up at once, and may greet again. */
  #takeMalformed(peer: PeerId, problem: string): void {
    this.#reject("malformed");
    if (!this.state.members.has(peer)) return;
    this.effects.push({ type: "refuse", peer, code: "unknown-session", message: problem });
    this.#remove(peer, problem, true);
  }

  #greet(peer: PeerId, hello: Hello): void {
    const { state } = this;
    const problem = objection(hello, state.plan.terms);
    if (problem !== undefined || state.phase.type === "finished") {
      const { code, message } = problem ?? { code: "stopping" as const, message: "the run is over" };
      this.effects.push({ type: "refuse", peer, code, message });
      if (problem !== undefined) {
        this.#report({
          type: "warning",
          message: `refused the worker on ${hello.host} (pid ${hello.pid}): ${message}`,
        });
      }
      return;
    }
    const known = state.members.get(peer);
    if (known?.incarnation === hello.incarnation) {
      this.effects.push({ type: "welcome", peer, session: known.session, name: known.name });
      return;
    }
    for (const member of state.members.values()) {
      if (member.peer === peer || member.incarnation === hello.incarnation) {
        this.#remove(member.peer, "its connection was lost and it has connected again", true);
      }
    }
    const number = state.welcomed + 1;
    const session = `${state.incarnation}/${number}`;
    const name = `worker-${number}`;
    const { incarnation, host, pid, engine, device } = hello;
    const member: Member = {
      ...{ peer, session, name, incarnation, host, pid, engine, device },
      ready: false,
      holds: NOTHING_HELD,
      computed: 0,
      progressAt: this.#at,
      pingedAt: this.#at,
    };
    this.#set({ members: withMember(this.state.members, member), welcomed: number });
    this.effects.push({ type: "welcome", peer, session, name });
  }

  #welcomeReady(member: Member): void {
    if (member.ready) return;
    this.#setMember({ ...member, ready: true });
    const { name, engine, device, host, pid } = member;
    const workers = readyMembers(this.state.members).length;
    this.#report({ type: "worker-joined", worker: name, engine, device, host, pid, workers });
    if (this.state.engines.includes(engine)) return;
    const engines = [...this.state.engines, engine];
    this.#set({ engines });
    if (engines.length === 2) {
      const message = `engines are mixed (${engines.join(", ")}): the weights now depend, within rounding, on which worker computes what`;
      this.#report({ type: "warning", message });
    }
  }

  #takeResult(member: Member, message: Extract<WorkerMessage, { type: "result" }>, finite: boolean): void {
    const { phase } = this.state;
    if (phase.type !== "training" || message.step !== phase.step) {
      this.#reject("stale-step");
      return;
    }
    const shards = shardsUnder(message.nodes, phase.board.items.length);
    const verdict = shards === undefined ? "not-owed" : judge(phase.board, member.peer, shards, message.slice);
    if (shards === undefined || verdict !== "owed") {
      this.#reject(verdict === "owed" ? "not-owed" : verdict);
      // Sums over others' shards too cannot be used, and no other answer for its own is to come: give those out again.
      const own = owedPart(phase.board, member.peer, shards ?? [], message.slice);
      this.#set({ phase: { ...phase, board: setOwner(phase.board, own, undefined) } });
      return;
    }
    if (!finite) {
      this.#takeNonFinite(phase, member, shards, message.slice);
      return;
    }
    const board = deliver(phase.board, shards, message.slice);
    this.#set({ phase: { ...phase, board } });
    this.#setMember({ ...member, progressAt: this.#at });
    this.effects.push({ type: "accept", slice: message.slice, nodes: message.nodes });
    if (!isDelivered(board, message.slice)) return;
    this.effects.push({ type: "apply-slice", step: phase.step, slice: message.slice });
    if (SLICE_NAMES.every((slice) => isDelivered(board, slice))) {
      this.#commitStep(phase.step);
      return;
    }
    // The next version of this slice travels while the workers are still computing the rest of this one.
    for (const peer of owners(board)) this.#sendParameters(peer, message.slice, phase.step + 1, false);
  }

  /** A first answer that is not finite is computed again, elsewhere if possible: a device may have gone bad. */
  #takeNonFinite(phase: Training, member: Member, shards: readonly number[], slice: SliceName): void {
    this.#reject("not-finite");
    // Both slices of one computation may be bad: that is one bad answer, not two.
    const earlier = phase.nonFinite.find((bad) => bad.slice === slice && shards.includes(bad.shard));
    if (earlier !== undefined) {
      const by = earlier.worker === member.name ? `twice by ${member.name}` : `by ${earlier.worker} and ${member.name}`;
      const message = `the gradient of step ${phase.step + 1} is not finite (computed ${by}): the training has diverged; try a smaller --lr`;
      this.#finish({ type: "diverged", message });
      return;
    }
    const message = `${member.name} computed a gradient that is not finite at step ${phase.step + 1}: computing it again`;
    this.#report({ type: "warning", message });
    const nonFinite = [...phase.nonFinite, ...shards.map((shard) => ({ shard, slice, worker: member.name }))];
    this.#set({ phase: { ...phase, board: setOwner(phase.board, shards, undefined), nonFinite } });
    this.#distribute(member.peer);
  }

  #takeEvaluated(member: Member, message: Extract<WorkerMessage, { type: "evaluated" }>): void {
    const { phase } = this.state;
    if (phase.type !== "evaluating" || message.version !== phase.version) {
      this.#reject("stale-step");
      return;
    }
    const verdict = judge(phase.board, member.peer, [message.chunk], "count");
    if (verdict !== "owed") {
      this.#reject(verdict);
      return;
    }
    const board = deliver(phase.board, [message.chunk], "count");
    const correct = phase.correct + message.correct;
    this.#set({ phase: { ...phase, board, correct } });
    this.#setMember({ ...member, progressAt: this.#at });
    if (!isDelivered(board, "count")) return;
    this.effects.push({ type: "epoch-evaluated", epoch: phase.epoch, correct });
    if (phase.epoch + 1 === this.state.plan.epochs) this.#finish({ type: "done" });
    else this.#beginStep(phase.version);
  }

  // ---- the course of the training

  #beginStep(step: number): void {
    const { shardsPerStep, shardsInLastStep, stepsPerEpoch } = this.state.plan;
    const shardCount = (step + 1) % stepsPerEpoch === 0 ? shardsInLastStep : shardsPerStep;
    this.#set({ phase: { type: "training", step, board: newBoard(shardCount, SLICE_NAMES), nonFinite: [] } });
    this.effects.push({ type: "begin-step", step, shardCount });
  }

  #commitStep(step: number): void {
    this.effects.push({ type: "commit-step", step });
    const { plan, interruptedBy } = this.state;
    const done = step + 1;
    if (interruptedBy !== undefined) {
      this.#finish({ type: "interrupted", signal: interruptedBy });
    } else if (done % plan.stepsPerEpoch === 0) {
      const board = newBoard(plan.evaluationChunks, ["count"] as const);
      const epoch = done / plan.stepsPerEpoch - 1;
      this.#set({ phase: { type: "evaluating", epoch, version: done, board, correct: 0 } });
    } else {
      this.#beginStep(done);
    }
  }

  #finish(outcome: Outcome): void {
    for (const { peer, session } of this.state.members.values()) {
      this.effects.push({ type: "stop", peer, session, reason: outcome.type });
    }
    this.#set({ phase: { type: "finished" }, members: new Map(), waiting: undefined });
    this.effects.push({ type: "finish", outcome });
  }

  // ---- giving out work

  /** Gives all unowned work to the ready workers: to idle ones if there are any, and not to `avoid` if possible. */
  #distribute(avoid?: PeerId): void {
    const { phase, plan, members } = this.state;
    if (phase.type === "finished") return;
    const work = unowned(phase.board);
    const ready = readyMembers(members);
    const enough = ready.length >= Math.max(1, plan.minWorkers);
    this.#noteWaiting(work.length > 0 && !enough);
    if (work.length === 0 || !enough) return;
    const others = ready.filter(({ peer }) => peer !== avoid);
    const candidates = others.length > 0 ? others : ready;
    const idle = candidates.filter(({ peer }) => owedBy(phase.board, peer).length === 0);
    const takers = idle.length > 0 ? idle : candidates;
    for (const [i, items] of share<string>(phase.board, work, takers.length).entries()) {
      const taker = takers[i % takers.length];
      if (taker !== undefined && items.length > 0) this.#give(taker.peer, items);
    }
  }

  #give(peer: PeerId, items: readonly number[]): void {
    const { phase, members } = this.state;
    const member = members.get(peer);
    if (member === undefined || phase.type === "finished") return;
    const { session } = member;
    const averaged = phase.type === "evaluating";
    const version = averaged ? phase.version : phase.step;
    for (const slice of SLICE_NAMES) this.#sendParameters(peer, slice, version, averaged);
    this.#set({ phase: withOwner(phase, items, peer) });
    const current = this.state.members.get(peer);
    if (current !== undefined) this.#setMember({ ...current, progressAt: this.#at });
    if (averaged) this.effects.push({ type: "evaluate", peer, session, version, chunks: items });
    else this.effects.push({ type: "assign", peer, session, step: version, shards: items });
  }

  #sendParameters(peer: PeerId, slice: SliceName, version: number, averaged: boolean): void {
    const member = this.state.members.get(peer);
    if (member === undefined || heldAt(member.holds, slice, version, averaged) === version) return;
    this.#setMember({ ...member, holds: holding(member.holds, slice, version, averaged) });
    this.effects.push({ type: "send-parameters", peer, session: member.session, version, slice, averaged });
  }

  // ---- workers that go

  #remove(peer: PeerId, reason: string, lost: boolean): void {
    const member = this.state.members.get(peer);
    if (member === undefined) return;
    this.#set({ members: withoutMember(this.state.members, peer) });
    const { phase } = this.state;
    let shardsReassigned = 0;
    if (phase.type !== "finished") {
      const owed = owedBy<string>(phase.board, peer);
      if (phase.type === "training") shardsReassigned = owed.length;
      this.#set({ phase: withOwner(phase, owed, undefined) });
    }
    if (!member.ready) return;
    const workers = readyMembers(this.state.members).length;
    this.#report({ type: "worker-left", worker: member.name, reason, lost, shardsReassigned, workers });
  }

  #tick(): void {
    const { phase, plan } = this.state;
    if (phase.type === "finished") return;
    for (const member of this.state.members.values()) {
      const { peer, session } = member;
      const owes = owedBy<string>(phase.board, peer).length > 0;
      const stalledMs = this.#at - member.progressAt;
      if (owes && stalledMs > plan.stallTimeoutMs) {
        const code = "unknown-session";
        const message = `no result for ${Math.round(stalledMs / 1000)} s`;
        this.effects.push({ type: "refuse", peer, code, message });
        this.#remove(peer, message, true);
      } else if (this.#at - member.pingedAt >= (owes ? PING_INTERVAL_OWING_MS : PING_INTERVAL_MS)) {
        this.#setMember({ ...member, pingedAt: this.#at });
        this.effects.push({ type: "ping", peer, session });
      }
    }
    this.#watchWaiting();
  }

  #noteWaiting(waits: boolean): void {
    if (!waits) this.#set({ waiting: undefined });
    else if (this.state.waiting === undefined) this.#set({ waiting: { since: this.#at, reportedAt: this.#at } });
  }

  #watchWaiting(): void {
    const { waiting, plan, members } = this.state;
    if (waiting === undefined) return;
    const waitedMs = this.#at - waiting.since;
    const workers = readyMembers(members).length;
    const { minWorkers } = plan;
    if (waitedMs >= plan.joinTimeoutMs) {
      const message = `only ${workers} of at least ${minWorkers} workers were ready for ${Math.round(waitedMs / 1000)} s`;
      this.#finish({ type: "not-enough-workers", message });
    } else if (this.#at - waiting.reportedAt >= WAITING_REPORT_MS) {
      this.#set({ waiting: { ...waiting, reportedAt: this.#at } });
      this.#report({ type: "waiting", workers, minWorkers, waitedMs });
    }
  }

  #interrupt(signal: Signal): void {
    if (this.state.interruptedBy === undefined) this.#set({ interruptedBy: signal });
  }

  /** A step that is being computed is finished first; where nobody computes, there is nothing to wait for. */
  #watchInterrupt(): void {
    const { phase, interruptedBy } = this.state;
    if (interruptedBy === undefined || phase.type === "finished") return;
    const computing =
      phase.type === "training" && [...owners(phase.board)].some((p) => owedBy(phase.board, p).length > 0);
    if (!computing) this.#finish({ type: "interrupted", signal: interruptedBy });
  }

  // ---- small things

  #reject(reason: Rejection): void {
    this.effects.push({ type: "reject", reason });
  }

  #report(event: TrainingEvent): void {
    this.effects.push({ type: "report", event });
  }

  #set(changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
  }

  #setMember(member: Member): void {
    this.#set({ members: withMember(this.state.members, member) });
  }
}

function withOwner(
  phase: Training | Evaluating,
  items: readonly number[],
  owner: PeerId | undefined,
): Training | Evaluating {
  if (phase.type === "training") return { ...phase, board: setOwner(phase.board, items, owner) };
  return { ...phase, board: setOwner(phase.board, items, owner) };
}

/** The shards under these nodes, or undefined when one of them is not a node of the step's tree. */
function shardsUnder(nodes: readonly TreeNode[], shardCount: number): number[] | undefined {
  const shards: number[] = [];
  for (const node of nodes) {
    if (!isNode(node, shardCount)) return undefined;
    for (let shard = firstShard(node); shard < endShard(node, shardCount); shard++) shards.push(shard);
  }
  return shards;
}
