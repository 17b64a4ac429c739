import type { WorkerMessage } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import { takeEvaluated, takeResult } from "./answers.ts";
import { tick } from "./clock-watch.ts";
import { begin, finish, interrupt, watchInterrupt, watchTime } from "./course.ts";
import { Draft } from "./draft.ts";
import type { Effect, Event, Plan, State } from "./types.ts";
import { greet, takePong, welcomeReady } from "./joining.ts";
import { leave, releaseLeaving, remove, takeMalformed } from "./leaving.ts";
import { distribute } from "./work-distribution.ts";

/**
 * The coordinator's decisions, pure: the same events in the same order always lead to the same state and effects.
 *
 * Bytes never come here. A result is ids and counts; the shell holds its payload until the machine says `accept`.
 * Weights cannot depend on what is decided here, since the reduction tree fixes every addition; what depends on it is
 * that each shard counts exactly once and that the run neither stalls nor ends early.
 */

export function initialState(plan: Plan, incarnation: string): State {
  return {
    plan,
    incarnation,
    members: new Map(),
    useWorkers: Infinity,
    welcomed: 0,
    phase: { type: "finished" },
    interruptedBy: undefined,
    begunAt: 0,
    isTimeUp: false,
    best: plan.start.best,
    waiting: undefined,
    arithmetic: undefined,
    refused: 0,
    stalls: 0,
    companyAt: -Infinity,
    flapping: new Map(),
  };
}

export function transition(state: State, event: Event): [State, Effect[]] {
  const draft = new Draft(state, event.at);
  take(draft, event);
  releaseLeaving(draft);
  distribute(draft);
  watchInterrupt(draft);
  watchTime(draft);
  return [draft.state, draft.effects];
}

function take(draft: Draft, event: Event): void {
  switch (event.type) {
    case "start":
      draft.set({ companyAt: event.at, begunAt: event.at });
      begin(draft);
      break;
    case "message":
      takeMessage(draft, event.peer, event.message, event.finite);
      break;
    case "malformed":
      takeMalformed(draft, event.peer, event.problem);
      break;
    case "peer-lost":
      remove(draft, event.peer, event.reason, true);
      break;
    case "process-exited":
      for (const member of draft.state.members.values()) {
        if (member.pid === event.pid) remove(draft, member.peer, event.reason, true);
      }
      break;
    case "tick":
      tick(draft, event.stoppedMs);
      break;
    case "use-workers":
      draft.set({ useWorkers: event.count });
      break;
    case "interrupt":
      interrupt(draft, event.signal);
      break;
    case "give-up":
      if (draft.state.phase.type !== "finished") finish(draft, { type: "not-enough-workers", message: event.message });
      break;
    default:
      event satisfies never;
  }
}

function takeMessage(draft: Draft, peer: PeerId, message: WorkerMessage, finite: boolean): void {
  if (message.type === "hello") {
    greet(draft, peer, message);
    return;
  }
  const found = draft.state.members.get(peer);
  if (found === undefined) {
    // Most likely it was given up while it was silent: it may come back as a new member.
    draft.reject("unknown-session");
    const told = "this coordinator does not know the worker, or has given it up: greet again";
    draft.effects.push({ type: "refuse", peer, code: "unknown-session", message: told });
    return;
  }
  if (message.session !== found.session) {
    draft.reject("stale-session");
    return;
  }
  // Whatever it has computed: it computes.
  if (found.late && (message.type === "result" || message.type === "evaluated")) draft.progress(found);
  const member = draft.state.members.get(peer) ?? found;
  switch (message.type) {
    case "ready":
      welcomeReady(draft, member);
      break;
    case "result":
      takeResult(draft, member, message, finite);
      break;
    case "evaluated":
      takeEvaluated(draft, member, message);
      break;
    case "pong":
      takePong(draft, member, message);
      break;
    case "leaving":
      leave(draft, member, message.reason, message.finishing);
      break;
    case "failed":
      draft.report({ type: "warning", message: `${member.name} failed: ${message.stack || message.message}` });
      remove(draft, peer, `failed: ${message.message}`, true);
      break;
    default:
      message satisfies never;
  }
}
