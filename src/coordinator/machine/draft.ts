import type { TrainingEvent } from "../../shared/events.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Effect, Rejection, State } from "./types.ts";
import type { Member } from "../../shared/fleet/membership.ts";

type Writable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

/**
 * One transition of the coordinator's machine under way: the state so far and the effects so far. It lives only within
 * `transition`. It works on copies of its own, made once a transition: the state that it began with never changes.
 */
export class Draft {
  readonly #state: Writable<State>;
  /** The members, once they are a copy. */
  #members: Map<PeerId, Member> | undefined;
  readonly effects: Effect[] = [];
  /** When the event happened, in ms. */
  readonly at: number;

  constructor(state: State, at: number) {
    this.#state = { ...state };
    this.at = at;
  }

  get state(): State {
    return this.#state;
  }

  set(changes: Partial<State>): void {
    if (changes.members !== undefined) this.#members = undefined;
    Object.assign(this.#state, changes);
  }

  setMember(member: Member): void {
    this.#ownMembers().set(member.peer, member);
  }

  removeMember(peer: PeerId): void {
    this.#ownMembers().delete(peer);
  }

  /** Changes a member as it is by now. */
  updateMember(peer: PeerId, changes: Partial<Member>): void {
    const member = this.state.members.get(peer);
    if (member !== undefined) this.setMember({ ...member, ...changes });
  }

  /** Notes that a member's work begins now. An answer to an earlier ping tells nothing about it. */
  workBegins(peer: PeerId): void {
    const member = this.state.members.get(peer);
    if (member === undefined) return;
    const progressAt = member.late ? member.progressAt : this.at;
    this.setMember({ ...member, progressAt, pingsBeforeWork: member.pings });
  }

  /** Notes that a member has got on with its work. */
  progress(member: Member, changes: Partial<Member> = {}): void {
    this.setMember({ ...member, progressAt: this.at, late: false, ...changes });
  }

  #ownMembers(): Map<PeerId, Member> {
    this.#members ??= new Map(this.#state.members);
    this.#state.members = this.#members;
    return this.#members;
  }

  reject(reason: Rejection): void {
    this.effects.push({ type: "reject", reason });
  }

  report(event: TrainingEvent): void {
    this.effects.push({ type: "report", event });
  }
}
