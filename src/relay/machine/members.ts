import { objection, readyMembers } from "../../shared/fleet/membership.ts";
import { formatPlural } from "../../shared/format.ts";
import { NOTHING_HELD } from "../../shared/protocol/holdings.ts";
import { type Hello, LIMITS, type WorkerMessage } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { owesCurrent, takeBackAhead, takeBackAll } from "./tasks.ts";
import type { Child, State } from "./types.ts";

/** How members below come and go. Part of the relay's machine. */

const FULL = `${LIMITS.members} workers and relays are below this relay, which is the most; connect to another one`;
/** Whoever can reach the port could fill the log otherwise. */
const REPORTED_REFUSALS = 10;

export function greetBelow(draft: Draft, peer: PeerId, hello: Hello): void {
  const { settings, identity, members, welcome, leaving } = draft.state;
  // It looks for whoever takes this relay's place.
  if (leaving !== undefined) return;
  const isFree = identity === undefined || (welcome === undefined && members.size === 0);
  const dataDigest = isFree ? hello.dataDigest : identity.dataDigest;
  const terms = { dataDigest, modelDigest: settings.modelDigest, dataName: "other data" };
  const problem = objection(hello, terms, "relay");
  if (problem !== undefined) {
    draft.refuse(peer, problem.code, problem.message);
    reportRefusal(draft, hello, problem.message);
    return;
  }
  const known = members.get(peer);
  if (known?.incarnation === hello.incarnation) {
    sendWelcome(draft, known);
    return;
  }
  const replaced = [...members.values()].filter((member) => {
    return member.peer === peer || member.incarnation === hello.incarnation;
  });
  if (members.size - replaced.length >= LIMITS.members) {
    // It goes on greeting: a place may become free.
    draft.refuse(peer, "quarantined", FULL);
    return;
  }
  for (const member of replaced) {
    remove(draft, member.peer, "its connection was lost and it has connected again", true);
  }
  if (isFree) draft.set({ identity: identityOf(hello) });
  const number = draft.state.joined + 1;
  draft.set({ joined: number, alone: undefined });
  const { incarnation, host, pid, engine, device } = hello;
  const member = { number, peer, incarnation, host, pid, engine, device, ...namesOf(draft.state, number) };
  draft.setMember({ ...member, ...NEW, ...timesFrom(draft.at) });
  sendWelcome(draft, draft.state.members.get(peer));
}

function identityOf({ engine, device, runtime, driver, dataDigest }: Hello): NonNullable<State["identity"]> {
  const [library, version] = [runtime === undefined ? {} : { runtime }, driver === undefined ? {} : { driver }];
  return { engine, device, ...library, ...version, dataDigest };
}

/** What is known of a member in a new session. */
const NEW = {
  ...{ ready: false, holds: NOTHING_HELD, computed: 0, late: false, leaving: undefined, speed: undefined },
  ...{ badAnswers: 0, pings: 0, pingsBeforeWork: 0 },
} as const satisfies Partial<Child>;

const timesFrom = (at: number) => ({ joinedAt: at, progressAt: at, pingedAt: at });

/** The session names this relay's life, its session above and the member; the name is unique in the whole fleet. */
function namesOf({ settings, sessions, welcome }: State, number: number): Pick<Child, "session" | "name"> {
  return {
    session: `${settings.incarnation}/${sessions}.${number}`,
    name: `${welcome?.name ?? "worker"}.${number}`,
  };
}

/** Nothing that was said in an earlier session above counts any more. */
export function welcomeAll(draft: Draft): void {
  for (const member of draft.state.members.values()) {
    const { speed } = member;
    draft.setMember({ ...member, ...NEW, ...timesFrom(draft.at), speed, ...namesOf(draft.state, member.number) });
    sendWelcome(draft, draft.state.members.get(member.peer));
  }
}

/** As soon as there is a run to welcome it to. */
function sendWelcome(draft: Draft, member: Child | undefined): void {
  const { welcome } = draft.state;
  if (welcome === undefined || member === undefined) return;
  const { session, name } = member;
  draft.send(member.peer, { ...welcome, session, name });
}

function reportRefusal(draft: Draft, { host, pid }: Hello, message: string): void {
  const refused = draft.state.refused + 1;
  draft.set({ refused });
  if (refused > REPORTED_REFUSALS) return;
  const last = refused === REPORTED_REFUSALS ? "; more of these are not reported" : "";
  draft.say("warning", `refused the worker on ${host} (pid ${pid}): ${message}${last}`);
}

/** Whether anyone can still answer what is asked of this relay; those that are leaving do so with what they owe. */
export function hasReadyMembers({ members }: State): boolean {
  for (const { ready } of members.values()) if (ready) return true;
  return false;
}

export function takeReady(draft: Draft, member: Child): void {
  if (member.ready) return;
  draft.updateMember(member.peer, { ready: true });
  const { name, engine, device, host } = member;
  const ready = formatPlural(readyMembers(draft.state.members).length, "worker");
  draft.say("worker-joined", `${name} joined: ${engine} engine on ${device}, ${host}; ${ready} below`, name);
  const { identity } = draft.state;
  if (identity === undefined || identity.engine === engine) return;
  const mixed = `engines are mixed below (${identity.engine}, ${engine}): the weights now depend, within rounding, on which worker computes what`;
  draft.say("warning", mixed, name);
}

type Pong = Extract<WorkerMessage, { type: "pong" }>;

/** A member says how far it is: what it should have, and says that it has not, was lost on the way. */
export function takePong(draft: Draft, member: Child, { computed, id, ready, idle }: Pong): void {
  if (ready) takeReady(draft, member);
  if (computed > member.computed) {
    draft.set({ computed: draft.state.computed + computed - member.computed });
    draft.progress(member.peer, { computed });
    return;
  }
  if (!idle || id <= member.pingsBeforeWork || !owesCurrent(draft.state, member.peer)) return;
  expel(draft, member, "a message to it or from it was lost");
}

/** A member wants to leave, and gets nothing more. @param finishing whether it finishes what it owes */
export function takeLeaving(draft: Draft, member: Child, reason: string, finishing: boolean): void {
  if (!finishing) {
    release(draft, member, reason);
    return;
  }
  draft.updateMember(member.peer, { leaving: reason });
  takeBackAhead(draft, member.peer);
}

/** Lets those go that are leaving and owe nothing any more. */
export function releaseLeaving(draft: Draft): void {
  for (const member of draft.state.members.values()) {
    if (member.leaving !== undefined && !owesCurrent(draft.state, member.peer)) {
      release(draft, member, member.leaving);
    }
  }
}

/** It waits for this before it closes its connection: a closed one would look like a loss. */
function release(draft: Draft, { peer, session }: Child, reason: string): void {
  draft.send(peer, { type: "stop", session, reason: "left" });
  remove(draft, peer, reason, false);
}

/** Ends a membership; whoever it was may greet again. @param problem a sentence */
export function expel(draft: Draft, { peer }: Child, problem: string): void {
  draft.refuse(peer, "unknown-session", problem);
  remove(draft, peer, problem, true);
}

export function remove(draft: Draft, peer: PeerId, reason: string, lost: boolean): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  const orphaned = takeBackAll(draft, peer);
  draft.removeMember(peer);
  const { members } = draft.state;
  if (members.size === 0) draft.set({ alone: draft.at });
  const left = `${formatPlural(readyMembers(members).length, "worker")} left below`;
  if (!member.ready) return;
  if (!lost) draft.say("worker-left", `released ${member.name}: ${reason}; ${left}`, member.name);
  else
    draft.say(
      "worker-lost",
      `lost ${member.name}: ${reason}; ${formatPlural(orphaned, "shard")} taken back, ${left}`,
      member.name,
    );
}
