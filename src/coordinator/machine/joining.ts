import { NOTHING_HELD } from "../../shared/protocol/holdings.ts";
import { type Hello, LIMITS, type WorkerMessage } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { type Member, objection, readyMembers } from "../../shared/fleet/membership.ts";
import { quarantineOf } from "./flapping.ts";
import { remove } from "./leaving.ts";
import type { Arithmetic, State } from "./types.ts";
import { owes } from "../../shared/fleet/work-board.ts";

/** How workers come. Part of the coordinator's machine. */

const FULL = `${LIMITS.members} workers take part already, which is the most; this one is welcome when another has left`;

export function greet(draft: Draft, peer: PeerId, hello: Hello): void {
  const { state } = draft;
  const problem = objection(hello, state.plan.terms);
  if (problem !== undefined || state.phase.type === "finished") {
    const { code, message } = problem ?? farewell(state);
    draft.effects.push({ type: "refuse", peer, code, message });
    if (problem !== undefined) reportRefusal(draft, hello, message);
    return;
  }
  const known = state.members.get(peer);
  if (known?.incarnation === hello.incarnation) {
    draft.effects.push({ type: "welcome", peer, session: known.session, name: known.name });
    return;
  }
  const quarantine = quarantineOf(state, hello, draft.at);
  if (quarantine !== undefined && known === undefined) {
    draft.effects.push({ type: "refuse", peer, code: "quarantined", message: quarantine });
    return;
  }
  const replaced = [...state.members.values()].filter((member) => {
    return member.peer === peer || member.incarnation === hello.incarnation;
  });
  if (state.members.size - replaced.length >= LIMITS.members) {
    // It goes on greeting: a place may become free.
    draft.effects.push({ type: "refuse", peer, code: "quarantined", message: FULL });
    return;
  }
  for (const member of replaced) {
    remove(draft, member.peer, "its connection was lost and it has connected again", true);
  }
  const number = state.welcomed + 1;
  const session = `${state.incarnation}/${number}`;
  const name = `worker-${number}`;
  const { incarnation, host, pid, engine, device, runtime, driver } = hello;
  const member: Member = {
    ...{ peer, session, name, incarnation, host, pid, engine, device },
    ...(runtime === undefined ? {} : { runtime }),
    ...(driver === undefined ? {} : { driver }),
    ready: false,
    holds: NOTHING_HELD,
    ...{ computed: 0, joinedAt: draft.at, progressAt: draft.at, late: false, leaving: undefined, speed: undefined },
    ...{ badAnswers: 0, pingedAt: draft.at, pings: 0, pingsBeforeWork: 0 },
  };
  draft.setMember(member);
  draft.set({ welcomed: number });
  draft.effects.push({ type: "welcome", peer, session, name });
}

/** Whoever can reach the port could fill the log otherwise. */
const REPORTED_REFUSALS = 10;

function reportRefusal(draft: Draft, { host, pid }: Hello, message: string): void {
  const refused = draft.state.refused + 1;
  draft.set({ refused });
  if (refused > REPORTED_REFUSALS) return;
  const last = refused === REPORTED_REFUSALS ? "; more of these are not reported" : "";
  draft.report({ type: "warning", message: `refused the worker on ${host} (pid ${pid}): ${message}${last}` });
}

export function welcomeReady(draft: Draft, member: Member): void {
  if (member.ready) return;
  draft.setMember({ ...member, ready: true });
  const { name, engine, device, runtime, driver, host, pid } = member;
  const workers = readyMembers(draft.state.members).length;
  draft.report({
    ...{ type: "worker-joined", worker: name, engine, device },
    ...(runtime === undefined ? {} : { runtime }),
    ...(driver === undefined ? {} : { driver }),
    ...{ host, pid, workers },
  });
  reportMixture(draft, member);
}

/** Engines that give the same bits on any machine. */
const SAME_EVERYWHERE: readonly string[] = ["wasm", "reference"];

function arithmeticOf({ engine, device, runtime, driver }: Member): Arithmetic {
  const place = [device, runtime, driver && `driver ${driver}`].filter((part) => part !== undefined).join(", ");
  return { engine, place: SAME_EVERYWHERE.includes(engine) ? "" : place };
}

/** Said once a run. */
function reportMixture(draft: Draft, member: Member): void {
  const known = draft.state.arithmetic;
  const { engine, place } = arithmeticOf(member);
  if (known === undefined) draft.set({ arithmetic: { engine, place, isMixed: false } });
  if (known === undefined || known.isMixed || (known.engine === engine && known.place === place)) return;
  draft.set({ arithmetic: { ...known, isMixed: true } });
  const what =
    known.engine === engine
      ? `devices are mixed (${known.place}; ${place})`
      : `engines are mixed (${known.engine}, ${engine})`;
  const message = `${what}: the weights now depend, within rounding, on which worker computes what`;
  draft.report({ type: "warning", message });
}

type Pong = Extract<WorkerMessage, { type: "pong" }>;

/** A worker says how far it is: what it should have, and says that it has not, was lost on the way. */
export function takePong(draft: Draft, member: Member, { computed, id, ready, idle }: Pong): void {
  if (ready && !member.ready) {
    welcomeReady(draft, member);
    return;
  }
  if (computed > member.computed) {
    draft.progress(member, { computed });
    return;
  }
  const { phase } = draft.state;
  if (!idle || id <= member.pingsBeforeWork || phase.type === "finished") return;
  if (!owes<string>(phase.board, member.peer)) return;
  const message = "a message to it or from it was lost";
  draft.effects.push({ type: "refuse", peer: member.peer, code: "unknown-session", message });
  remove(draft, member.peer, message, true);
}

/** What those are told who come when the run has ended. */
function farewell({ interruptedBy }: State): { code: "stopping" | "interrupted"; message: string } {
  return interruptedBy === undefined
    ? { code: "stopping", message: "the run is over" }
    : { code: "interrupted", message: "the run was interrupted, and can be resumed" };
}
