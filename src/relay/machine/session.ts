import { EXIT_CODES, SIGNAL_EXIT_CODES, type Signal } from "../../shared/errors.ts";
import { NOTHING_HELD } from "../../shared/protocol/holdings.ts";
import type {
  CoordinatorMessage,
  Hello,
  RejectionCode,
  Welcome,
  WorkerMessage,
} from "../../shared/protocol/messages.ts";
import { INTERRUPTED_CODE, runEndOf } from "../../shared/protocol/run-end.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { greetBelow, hasReadyMembers, welcomeAll } from "./members.ts";
import type { State } from "./types.ts";

/** The session with whoever is above: how it begins, is kept and ends. Part of the relay's machine. */

/** It pings at least every second; when it is silent for this long, see whether it still knows us. */
const SILENCE_MS = 3_000;
/** Longest silence while this relay is leaving. */
const LEAVING_TIMEOUT_MS = 3_000;
/** Pause between two greetings: it doubles from the one to the other. A greeting without a connection is lost. */
const GREETING_PAUSE_MS = 25;
const MAX_GREETING_PAUSE_MS = 1_000;

/** What an earlier session still had under way is of no use any more. */
export function isForUs({ welcome }: State, message: CoordinatorMessage): boolean {
  if (message.type === "welcome" || message.type === "rejected") return true;
  return message.session === welcome?.session;
}

export function takeWelcome(draft: Draft, welcome: Welcome): void {
  const { state } = draft;
  if (state.welcome?.session === welcome.session || state.leaving !== undefined) return;
  forgetWork(draft);
  draft.set({ welcome, sessions: state.sessions + 1, quarantined: false, notLetIn: undefined });
  draft.say("welcomed", `welcomed as ${welcome.name}, run ${welcome.runId}`);
  welcomeAll(draft);
}

export function takeRejection(draft: Draft, code: RejectionCode, message: string): void {
  const { address } = draft.state.settings;
  switch (code) {
    case "unknown-session":
      rejoin(draft, message, { sayLeaving: false });
      break;
    case "quarantined":
      // It keeps greeting.
      if (!draft.state.quarantined) draft.say("refused", message);
      draft.set({ quarantined: true });
      break;
    case "stopping":
      end(draft, 0, message, { type: "rejected", code, message });
      break;
    case "interrupted":
      end(draft, INTERRUPTED_CODE, message, { type: "rejected", code, message });
      break;
    case "data":
      // It is those below that have other data: they are told, and others may come.
      draft.say("refused", `${address} refuses those below: ${message}`);
      for (const { peer } of draft.state.members.values()) draft.refuse(peer, code, message);
      forgetWork(draft);
      draft.set({ identity: undefined, welcome: undefined, members: new Map(), alone: draft.at });
      break;
    default: {
      const text = `${address} refuses this relay: ${message}`;
      draft.say("refused", text);
      end(draft, EXIT_CODES.failed, text);
    }
  }
}

/** The run is over, or whoever is above lets this relay go. */
export function takeStop(draft: Draft, reason: string): void {
  const { leaving } = draft.state;
  if (leaving !== undefined && reason === "left") {
    end(draft, leaving.code, `leaving: ${leaving.reason}`);
    return;
  }
  if (reason === "left") {
    // The end of a session that it has left before, and to which a late welcome has brought it back.
    rejoin(draft, "this session is over", { sayLeaving: false });
    return;
  }
  const { code, text } = runEndOf(reason);
  end(draft, leaving?.code ?? code, text, { type: "stop", session: "", reason });
}

/** Forgets the session and greets anew, or ends if it is leaving; what was owed is given to others. */
export function rejoin(draft: Draft, reason: string, { sayLeaving = true } = {}): void {
  const { welcome, leaving } = draft.state;
  if (welcome !== undefined && (sayLeaving || leaving !== undefined)) {
    draft.answer(farewell(welcome, leaving?.reason ?? reason, false));
  }
  if (leaving !== undefined) {
    end(draft, leaving.code, `leaving: ${leaving.reason}`);
    return;
  }
  draft.say("disconnected", `joining again: ${reason}`);
  forgetWork(draft);
  draft.set({ welcome: undefined });
  greet(draft);
}

/** Says "ready" as long as somebody below is, and takes that back by joining again. */
export function keepReadiness(draft: Draft): void {
  const { welcome, ready, leaving } = draft.state;
  if (welcome === undefined) return;
  const isAble = hasReadyMembers(draft.state);
  if (ready && !isAble) rejoin(draft, "nobody is left below that could compute");
  if (ready || !isAble || leaving !== undefined) return;
  draft.set({ ready: true });
  draft.answer({ type: "ready", session: welcome.session });
}

/** Says that it is leaving, and waits until what it owes is done and that is acknowledged. */
export function leave(draft: Draft, signal: Signal): void {
  const { welcome, leaving } = draft.state;
  if (leaving !== undefined) return;
  const reason = `it received ${signal}`;
  const code = SIGNAL_EXIT_CODES[signal];
  if (welcome === undefined) {
    end(draft, code, `leaving: ${reason}`);
    return;
  }
  draft.set({ leaving: { since: draft.at, code, reason } });
  draft.say("draining", `leaving as soon as what those below owe is done: ${reason}`);
  draft.answer(farewell(welcome, reason, true));
}

/** That it is leaving may not have arrived. */
export function repeatLeaving(draft: Draft): void {
  const { welcome, leaving } = draft.state;
  if (welcome !== undefined && leaving !== undefined) draft.answer(farewell(welcome, leaving.reason, true));
}

export function watchAbove(draft: Draft): void {
  const { settings, identity, welcome, leaving, heardAt, greetedAt, greetings } = draft.state;
  const silentMs = draft.at - heardAt;
  if (leaving !== undefined) {
    if (draft.at - Math.max(leaving.since, heardAt) < LEAVING_TIMEOUT_MS) return;
    end(draft, leaving.code, `leaving: ${leaving.reason}`);
  } else if (identity !== undefined && silentMs > settings.coordinatorTimeoutMs) {
    const advice = draft.state.notLetIn ?? "start one there, or check the address";
    const text = `no coordinator or relay at ${settings.address} for ${Math.round(silentMs / 1000)} s: ${advice}`;
    end(draft, EXIT_CODES.failed, text);
  } else if (welcome === undefined || silentMs >= SILENCE_MS) {
    const pauseMs = Math.min(GREETING_PAUSE_MS * 2 ** (greetings - 1), MAX_GREETING_PAUSE_MS);
    if (draft.at - greetedAt >= pauseMs) greet(draft);
  }
}

/** Without anyone below there is nothing to say of itself. */
function greet(draft: Draft): void {
  const { identity, greetings } = draft.state;
  if (identity === undefined) return;
  draft.set({ greetedAt: draft.at, greetings: greetings + 1 });
  draft.effects.push({ type: "greet", identity });
}

/** Takes up somebody below, who may be the first that is there. */
export function takeHello(draft: Draft, peer: PeerId, hello: Hello): void {
  const isFirst = draft.state.identity === undefined;
  greetBelow(draft, peer, hello);
  if (!isFirst || draft.state.identity === undefined) return;
  // The time before does not count: there was nobody to speak for.
  draft.set({ heardAt: draft.at });
  greet(draft);
}

/** @param told to those below, each in its own session; if not given they are to look for a relay anew */
export function end(draft: Draft, code: number, text: string, told: LastWord = AGAIN): void {
  if (draft.state.ended) return;
  for (const { peer, session } of draft.state.members.values()) {
    draft.send(peer, told.type === "stop" ? { ...told, session } : told);
  }
  forgetWork(draft);
  draft.set({ members: new Map(), ended: true });
  draft.effects.push({ type: "exit", code, text });
}

type LastWord = Extract<CoordinatorMessage, { type: "rejected" | "stop" }>;

const AGAIN: LastWord = {
  type: "rejected",
  code: "unknown-session",
  message: "this relay ends: greet whoever takes its place",
};

/** What a relay forgets when it loses its session. */
function forgetWork(draft: Draft): void {
  for (const { id, order } of draft.state.tasks) {
    if (order.type === "assign") draft.effects.push({ type: "close-task", task: id });
  }
  draft.set({ ready: false, holds: NOTHING_HELD, tasks: [], computed: 0 });
}

function farewell({ session }: Welcome, reason: string, finishing: boolean): WorkerMessage {
  return { type: "leaving", session, reason, finishing };
}
