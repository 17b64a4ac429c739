import type { WorkerMessage } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import { takeEvaluated, takeResult } from "./answers.ts";
import { tick } from "./clock-watch.ts";
import { begin, interrupt, watchInterrupt } from "./course.ts";
import { Draft } from "./draft.ts";
import type { Effect, Event, Plan, State } from "./types.ts";
import { greet, remove, takeMalformed, welcomeReady } from "./joining.ts";
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
    waiting: undefined,
    engines: [],
    refused: 0,
    stalls: 0,
  };
}

export function transition(state: State, event: Event): [State, Effect[]] {
  const draft = new Draft(state, event.at);
  take(draft, event);
  distribute(draft);
  watchInterrupt(draft);
  return [draft.state, draft.effects];
}

function take(draft: Draft, event: Event): void {
  switch (event.type) {
    case "start":
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
      tick(draft);
      break;
    case "use-workers":
      draft.set({ useWorkers: event.count });
      break;
    case "interrupt":
      interrupt(draft, event.signal);
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
  const member = draft.state.members.get(peer);
  if (member === undefined) {
    // Most likely it was given up while it was silent: it may come back as a new member.
    draft.reject("unknown-session");
    const told = "this coordinator does not know the worker, or has given it up: greet again";
    draft.effects.push({ type: "refuse", peer, code: "unknown-session", message: told });
    return;
  }
  if (message.session !== member.session) {
    draft.reject("stale-session");
    return;
  }
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
      if (message.computed > member.computed) {
        draft.setMember({ ...member, computed: message.computed, progressAt: draft.at });
      }
      break;
    case "leaving":
      // The worker waits for this before it closes its connection: a closed one would look like a loss.
      draft.effects.push({ type: "stop", peer, session: member.session, reason: "left" });
      remove(draft, peer, message.reason, false);
      break;
    case "failed":
      draft.report({ type: "warning", message: `${member.name} failed: ${message.stack || message.message}` });
      remove(draft, peer, `failed: ${message.message}`, true);
      break;
    default:
      message satisfies never;
  }
}
