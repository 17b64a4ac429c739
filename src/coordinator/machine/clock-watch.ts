import { finish } from "./course.ts";
import type { Draft } from "./draft.ts";
import { readyMembers } from "./membership.ts";
import { remove } from "./joining.ts";
import { owedBy } from "./work-board.ts";

/** What the passing of time calls for: pings, workers that have stalled, waiting for workers. Part of the machine. */

const PING_INTERVAL_MS = 1_000;
/** A connection's end is noticed by sending: probe sooner where the step waits for somebody. */
const PING_INTERVAL_OWING_MS = 250;
const WAITING_REPORT_MS = 10_000;
/** From half a minute to a bit over an hour. */
const MAX_STALL_DOUBLINGS = 7;

export function tick(draft: Draft): void {
  const { phase, plan } = draft.state;
  if (phase.type === "finished") return;
  for (const member of draft.state.members.values()) {
    const { peer, session } = member;
    const owes = owedBy<string>(phase.board, peer).length > 0;
    const stalledMs = draft.at - member.progressAt;
    if (owes && stalledMs > plan.stallTimeoutMs * 2 ** draft.state.stalls) {
      // Should the work itself take this long, the next to try it is given twice the time.
      draft.set({ stalls: Math.min(draft.state.stalls + 1, MAX_STALL_DOUBLINGS) });
      const code = "unknown-session";
      const message = `no result for ${Math.round(stalledMs / 1000)} s`;
      draft.effects.push({ type: "refuse", peer, code, message });
      remove(draft, peer, message, true);
    } else if (draft.at - member.pingedAt >= (owes ? PING_INTERVAL_OWING_MS : PING_INTERVAL_MS)) {
      draft.setMember({ ...member, pingedAt: draft.at });
      const step = phase.type === "training" ? phase.step : phase.version;
      draft.effects.push({ type: "ping", peer, session, step });
    }
  }
  watchWaiting(draft);
}

function watchWaiting(draft: Draft): void {
  const { waiting, plan, members } = draft.state;
  if (waiting === undefined) return;
  const waitedMs = draft.at - waiting.since;
  const workers = readyMembers(members).length;
  const { minWorkers } = plan;
  if (waitedMs >= plan.joinTimeoutMs) {
    const message = `only ${workers} of at least ${minWorkers} workers were ready for ${Math.round(waitedMs / 1000)} s`;
    finish(draft, { type: "not-enough-workers", message });
  } else if (draft.at - waiting.reportedAt >= WAITING_REPORT_MS) {
    draft.set({ waiting: { ...waiting, reportedAt: draft.at } });
    draft.report({ type: "waiting", workers, minWorkers, waitedMs });
  }
}
