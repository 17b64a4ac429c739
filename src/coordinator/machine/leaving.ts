import type { PeerId } from "../../shared/transport/transport.ts";
import type { Draft } from "./draft.ts";
import { noteLoss } from "./flapping.ts";
import { type Member, readyMembers } from "../../shared/fleet/membership.ts";
import { owedBy, owes, unowned } from "../../shared/fleet/work-board.ts";
import { takeBack, takeBackAhead } from "./work-distribution.ts";

/** How workers go. Part of the coordinator's machine. */

/**
 * A worker wants to leave, and gets nothing more.
 * @param finishing whether it finishes what it owes, or has dropped it
 */
export function leave(draft: Draft, member: Member, reason: string, finishing: boolean): void {
  if (!finishing) {
    release(draft, member, reason);
    return;
  }
  draft.setMember({ ...member, leaving: reason });
  takeBackAhead(draft, member.peer);
}

/** Lets those go that are leaving and owe nothing any more. */
export function releaseLeaving(draft: Draft): void {
  const { phase, members } = draft.state;
  for (const member of members.values()) {
    if (member.leaving === undefined) continue;
    if (phase.type === "finished" || !owes<string>(phase.board, member.peer)) release(draft, member, member.leaving);
  }
}

/** The worker waits for this before it closes its connection: a closed one would look like a loss. */
function release(draft: Draft, { peer, session }: Member, reason: string): void {
  draft.effects.push({ type: "stop", peer, session, reason: "left" });
  remove(draft, peer, reason, false);
}

export function remove(draft: Draft, peer: PeerId, reason: string, lost: boolean): void {
  const member = draft.state.members.get(peer);
  if (member === undefined) return;
  if (lost) noteLoss(draft, member);
  if (readyMembers(draft.state.members).length > 1) draft.set({ companyAt: draft.at });
  draft.removeMember(peer);
  const { phase } = draft.state;
  let shardsReassigned = 0;
  if (phase.type !== "finished") {
    const before = unowned<string>(phase.board).length;
    takeBack(draft, owedBy<string>(phase.board, peer), peer);
    if (phase.type === "training") {
      const { board } = draft.state.phase as typeof phase;
      shardsReassigned = unowned(board).length - before;
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
