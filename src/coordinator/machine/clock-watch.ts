import { finish } from "./course.ts";
import type { Draft } from "./draft.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import { remove } from "./leaving.ts";
import { type Member, readyMembers } from "../../shared/fleet/membership.ts";
import { isOutworn, isPingDue, latenessMs } from "../../shared/fleet/pace.ts";
import { owedBy, owes } from "../../shared/fleet/work-board.ts";

/**
 * What the passing of time calls for: pings, workers that are late or have stalled, waiting for workers. Part of the
 * machine.
 */

const WAITING_REPORT_MS = 10_000;
/** From half a minute to a bit over an hour. */
const MAX_STALL_DOUBLINGS = 7;

export function tick(draft: Draft, stoppedMs: number): void {
  const { phase } = draft.state;
  if (phase.type === "finished") return;
  if (stoppedMs > 0) excuse(draft, stoppedMs);
  const lateMs = latenessMs(draft.state.members);
  for (const { peer } of draft.state.members.values()) watchMember(draft, peer, lateMs);
  watchWaiting(draft);
  if (draft.at - draft.state.begunAt >= draft.state.plan.runLimitMs) draft.set({ isTimeUp: true });
}

/** The time that this process was stopped is nobody's fault. */
function excuse(draft: Draft, ms: number): void {
  for (const member of draft.state.members.values()) {
    draft.setMember({ ...member, progressAt: member.progressAt + ms });
  }
}

function watchMember(draft: Draft, peer: PeerId, lateMs: number): void {
  const { phase, plan, stalls } = draft.state;
  const member = draft.state.members.get(peer);
  if (member === undefined || phase.type === "finished") return;
  const owing = owes<string>(phase.board, peer);
  const quietMs = draft.at - member.progressAt;
  const patienceMs = member.computed === 0 ? plan.firstWorkTimeoutMs : plan.stallTimeoutMs;
  if ((owing || member.late) && quietMs > patienceMs * 2 ** stalls) {
    // Should the work itself take this long, the next to try it is given twice the time.
    draft.set({ stalls: Math.min(stalls + 1, MAX_STALL_DOUBLINGS) });
    const message = `no result for ${Math.round(quietMs / 1000)} s`;
    draft.effects.push({ type: "refuse", peer, code: "unknown-session", message });
    remove(draft, peer, message, true);
    return;
  }
  if (owing && !member.late && quietMs > lateMs) noteLate(draft, member, quietMs);
  if (!owing && isOutworn(member, draft.at)) draft.updateMember(peer, { speed: undefined });
  if (isPingDue(member, owing, draft.at)) ping(draft, member);
}

/** From now on its work is unattended: `distribute` gives it to idle workers as well, now or once there are any. */
function noteLate(draft: Draft, { peer, name }: Member, quietMs: number): void {
  const { phase } = draft.state;
  draft.updateMember(peer, { late: true });
  if (phase.type === "training") {
    const shards = owedBy(phase.board, peer).length;
    draft.report({ type: "worker-late", worker: name, step: phase.step + 1, shards, lateMs: quietMs });
  }
}

function ping(draft: Draft, { peer, session, pings }: Member): void {
  const { phase } = draft.state;
  if (phase.type === "finished") return;
  const id = pings + 1;
  draft.updateMember(peer, { pingedAt: draft.at, pings: id });
  draft.effects.push({ type: "ping", peer, session, step: phase.type === "training" ? phase.step : phase.version, id });
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
