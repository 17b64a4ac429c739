import type { TrainingEvent } from "../../shared/events.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Effect, Rejection, State } from "./types.ts";
import { type Member, withMember } from "./membership.ts";

/**
 * One transition of the coordinator's machine under way: the state so far and the effects so far. It lives only within
 * `transition`; the states it goes through are never changed, only replaced.
 */
export class Draft {
  state: State;
  readonly effects: Effect[] = [];
  /** When the event happened, in ms. */
  readonly at: number;

  constructor(state: State, at: number) {
    this.state = state;
    this.at = at;
  }

  set(changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
  }

  setMember(member: Member): void {
    this.set({ members: withMember(this.state.members, member) });
  }

  /** Notes that a member has been given work, or has got on with it. */
  touch(peer: PeerId): void {
    const member = this.state.members.get(peer);
    if (member !== undefined) this.setMember({ ...member, progressAt: this.at });
  }

  reject(reason: Rejection): void {
    this.effects.push({ type: "reject", reason });
  }

  report(event: TrainingEvent): void {
    this.effects.push({ type: "report", event });
  }
}
