import { EXIT_CODES } from "../../shared/errors.ts";
import { isOutworn, isPingDue, latenessMs } from "../../shared/fleet/pace.ts";
import { owedBy } from "../../shared/fleet/work-board.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { expel } from "./members.ts";
import { end, watchAbove } from "./session.ts";
import { isCurrent, owesCurrent, stepUnderWay } from "./tasks.ts";
import type { Child } from "./types.ts";

/** What the passing of time calls for. Part of the relay's machine. */

/** As a coordinator has it: without progress for this long a member that owes work is given up; longer at first. */
const STALL_TIMEOUT_MS = 30_000;
const FIRST_WORK_TIMEOUT_MS = 600_000;
/** From half a minute to a bit over an hour. */
const MAX_STALL_DOUBLINGS = 7;

export function tick(draft: Draft, stoppedMs: number): void {
  // While this process was stopped it is not the others that were silent.
  if (stoppedMs > 0) excuse(draft, stoppedMs);
  watchAbove(draft);
  watchLoneliness(draft);
  const lateMs = latenessMs(draft.state.members);
  for (const { peer } of draft.state.members.values()) watchMember(draft, peer, lateMs);
}

function excuse(draft: Draft, ms: number): void {
  const { heardAt, alone, members } = draft.state;
  draft.set({ heardAt: heardAt + ms, alone: alone === undefined ? undefined : alone + ms });
  for (const member of members.values()) draft.setMember({ ...member, progressAt: member.progressAt + ms });
}

function watchLoneliness(draft: Draft): void {
  const { alone, settings } = draft.state;
  if (alone === undefined || draft.at - alone < settings.joinTimeoutMs) return;
  const text = `nobody below for ${Math.round((draft.at - alone) / 1000)} s: start workers that connect to this relay`;
  end(draft, EXIT_CODES["not-enough-workers"], text);
}

function watchMember(draft: Draft, peer: PeerId, lateMs: number): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  const owing = owesCurrent(draft.state, peer);
  const quietMs = draft.at - member.progressAt;
  const { stalls } = draft.state;
  const patienceMs = member.computed === 0 ? FIRST_WORK_TIMEOUT_MS : STALL_TIMEOUT_MS;
  if ((owing || member.late) && quietMs > patienceMs * 2 ** stalls) {
    // Should the work itself take this long, the next to try it is given twice the time.
    draft.set({ stalls: Math.min(stalls + 1, MAX_STALL_DOUBLINGS) });
    expel(draft, member, `no result for ${Math.round(quietMs / 1000)} s`);
    return;
  }
  if (owing && !member.late && quietMs > lateMs) noteLate(draft, member, quietMs);
  if (!owing && isOutworn(member, draft.at)) draft.updateMember(peer, { speed: undefined });
  if (isPingDue(member, owing, draft.at)) ping(draft, peer);
}

/** From now on its work is unattended: `distribute` gives it to idle members as well, now or once there are any. */
function noteLate(draft: Draft, { peer, name }: Child, quietMs: number): void {
  draft.updateMember(peer, { late: true });
  const { state } = draft;
  const current = state.tasks.filter((task) => isCurrent(state, task));
  const owed = current.reduce((sum, { board }) => sum + owedBy(board, peer).length, 0);
  draft.say("worker-late", `${name} is late: ${owed} shards or chunks for ${Math.round(quietMs)} ms`, name);
}

function ping(draft: Draft, peer: PeerId): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  const id = member.pings + 1;
  draft.updateMember(peer, { pingedAt: draft.at, pings: id });
  draft.send(peer, { type: "ping", session: member.session, step: stepUnderWay(draft.state), id });
}
