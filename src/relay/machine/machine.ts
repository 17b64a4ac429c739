import { NOTHING_HELD } from "../../shared/protocol/holdings.ts";
import type { CoordinatorMessage, WorkerMessage } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import { takeEvaluated, takeResult } from "./answers.ts";
import { tick } from "./clock-watch.ts";
import { distribute } from "./distribution.ts";
import { Draft } from "./draft.ts";
import { expel, releaseLeaving, remove, takeLeaving, takePong, takeReady } from "./members.ts";
import {
  end,
  isForUs,
  keepReadiness,
  leave,
  rejoin,
  repeatLeaving,
  takeHello,
  takeRejection,
  takeStop,
  takeWelcome,
} from "./session.ts";
import type { Effect, Event, Settings, State } from "./types.ts";
import { answerPing, takeOrder, takeParameters } from "./work.ts";

/**
 * The relay's decisions, pure: the same events in the same order always lead to the same state and effects.
 *
 * To those above it is a worker: it holds nothing that matters, and whenever something is out of step it forgets its
 * session and greets anew. To those below it is a coordinator, except that what is to be computed, and on what, comes from
 * above. Bytes never come here: a result is ids and counts, and since the reduction tree fixes every addition no decision
 * can change the sums.
 */

export function initialState(settings: Settings, at: number): State {
  return {
    settings,
    ...{ identity: undefined, welcome: undefined, sessions: 0, ready: false, holds: NOTHING_HELD },
    ...{ tasks: [], tasksTaken: 0, doneAt: at, computed: 0 },
    ...{ heardAt: at, greetedAt: at, greetings: 0, quarantined: false, notLetIn: undefined },
    ...{ members: new Map(), joined: 0, refused: 0, stalls: 0, alone: at },
    ...{ leaving: undefined, ended: false },
  };
}

export function transition(state: State, event: Event): [State, Effect[]] {
  if (state.ended) return [state, []];
  const draft = new Draft(state, event.at);
  take(draft, event);
  if (!draft.state.ended) {
    releaseLeaving(draft);
    keepReadiness(draft);
  }
  if (!draft.state.ended) distribute(draft);
  return [draft.state, draft.effects];
}

function take(draft: Draft, event: Event): void {
  switch (event.type) {
    case "start":
      break;
    case "tick":
      tick(draft, event.stoppedMs);
      break;
    case "told":
      takeTold(draft, event.message);
      break;
    case "told-malformed":
      rejoin(draft, `a message could not be understood: ${event.problem}`);
      break;
    case "not-let-in":
      draft.set({ notLetIn: event.problem });
      draft.say("refused", event.problem);
      break;
    case "heard":
      takeHeard(draft, event.peer, event.message, event.finite);
      break;
    case "heard-malformed": {
      // No other answer would come from it for what it owes.
      draft.reject("malformed");
      const member = draft.state.members.get(event.peer);
      if (member !== undefined) expel(draft, member, event.problem);
      break;
    }
    case "peer-lost":
      remove(draft, event.peer, event.reason, true);
      break;
    case "signal":
      leave(draft, event.signal);
      break;
    default:
      event satisfies never;
  }
}

function takeTold(draft: Draft, message: CoordinatorMessage): void {
  if (!isForUs(draft.state, message)) return;
  draft.set({ heardAt: draft.at, greetings: 0 });
  const { leaving } = draft.state;
  switch (message.type) {
    case "welcome":
      takeWelcome(draft, message);
      break;
    case "rejected":
      if (leaving !== undefined) end(draft, leaving.code, `leaving: ${leaving.reason}`);
      else takeRejection(draft, message.code, message.message);
      break;
    case "parameters":
      takeParameters(draft, message);
      break;
    case "assign":
    case "evaluate":
      takeOrder(draft, message);
      break;
    case "ping":
      repeatLeaving(draft);
      answerPing(draft, message);
      break;
    case "stop":
      takeStop(draft, message.reason);
      break;
    default:
      message satisfies never;
  }
}

function takeHeard(draft: Draft, peer: PeerId, message: WorkerMessage, finite: boolean): void {
  if (message.type === "hello") {
    takeHello(draft, peer, message);
    return;
  }
  const found = draft.state.members.get(peer);
  if (found === undefined) {
    // Most likely it was given up while it was silent: it may come back as a new member.
    draft.reject("unknown-session");
    draft.refuse(peer, "unknown-session", "this relay does not know the worker, or has given it up: greet again");
    return;
  }
  if (message.session !== found.session) {
    draft.reject("stale-session");
    return;
  }
  // Whatever it has computed: it computes.
  if (found.late && (message.type === "result" || message.type === "evaluated")) draft.progress(peer);
  const member = draft.state.members.get(peer) ?? found;
  switch (message.type) {
    case "ready":
      takeReady(draft, member);
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
      takeLeaving(draft, member, message.reason, message.finishing);
      break;
    case "failed":
      draft.say("warning", `${member.name} failed: ${message.stack || message.message}`, member.name);
      remove(draft, peer, `failed: ${message.message}`, true);
      break;
    default:
      message satisfies never;
  }
}
