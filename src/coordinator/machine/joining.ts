import { NOTHING_HELD } from "../../shared/protocol/holdings.ts";
import type { Hello } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { type Member, objection, readyMembers } from "./membership.ts";
import { owedBy } from "./work-board.ts";
import { takeBackAhead, withOwner } from "./work-distribution.ts";

/** How workers come and go. Part of the coordinator's machine. */

export function greet(draft: Draft, peer: PeerId, hello: Hello): void {
  const { state } = draft;
  const problem = objection(hello, state.plan.terms);
  if (problem !== undefined || state.phase.type === "finished") {
    const { code, message } = problem ?? { code: "stopping" as const, message: "the run is over" };
    draft.effects.push({ type: "refuse", peer, code, message });
    if (problem !== undefined) reportRefusal(draft, hello, message);
    return;
  }
  const known = state.members.get(peer);
  if (known?.incarnation === hello.incarnation) {
    draft.effects.push({ type: "welcome", peer, session: known.session, name: known.name });
    return;
  }
  for (const member of state.members.values()) {
    if (member.peer === peer || member.incarnation === hello.incarnation) {
      remove(draft, member.peer, "its connection was lost and it has connected again", true);
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
    progressAt: draft.at,
    pingedAt: draft.at,
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
  const { name, engine, device, host, pid } = member;
  const workers = readyMembers(draft.state.members).length;
  draft.report({ type: "worker-joined", worker: name, engine, device, host, pid, workers });
  if (draft.state.engines.includes(engine)) return;
  const engines = [...draft.state.engines, engine];
  draft.set({ engines });
  if (engines.length === 2) {
    const message = `engines are mixed (${engines.join(", ")}): the weights now depend, within rounding, on which worker computes what`;
    draft.report({ type: "warning", message });
  }
}

export function remove(draft: Draft, peer: PeerId, reason: string, lost: boolean): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  draft.removeMember(peer);
  const { phase } = draft.state;
  let shardsReassigned = 0;
  if (phase.type !== "finished") {
    const owed = owedBy<string>(phase.board, peer);
    draft.set({ phase: withOwner(phase, owed, undefined) });
    if (phase.type === "training") {
      shardsReassigned = owed.length;
      takeBackAhead(draft, peer);
    }
  }
  if (!member.ready) return;
  const workers = readyMembers(draft.state.members).length;
  draft.report({ type: "worker-left", worker: member.name, reason, lost, shardsReassigned, workers });
}

/** No other answer would come from a member for what it owes: it is given up at once, and may greet again. */
export function takeMalformed(draft: Draft, peer: PeerId, problem: string): void {
  draft.reject("malformed");
  if (!draft.state.members.has(peer)) return;
  draft.effects.push({ type: "refuse", peer, code: "unknown-session", message: problem });
  remove(draft, peer, problem, true);
}
