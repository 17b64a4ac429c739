import type { CoordinatorMessage, RejectionCode, WorkerMessage } from "../../shared/protocol/messages.ts";
import type { PeerId } from "../../shared/transport/transport.ts";
import type { Child, Effect, Rejection, RelayEventName, State, Task } from "./types.ts";

type Writable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

/**
 * One transition of the relay's machine under way: the state so far and the effects so far. It works on copies of its
 * own: the state that it began with never changes.
 */
export class Draft {
  readonly #state: Writable<State>;
  /** The members, once they are a copy. */
  #members: Map<PeerId, Child> | undefined;
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

  setTask(task: Task): void {
    this.#state.tasks = this.#state.tasks.map((other) => (other.id === task.id ? task : other));
  }

  setMember(member: Child): void {
    this.#ownMembers().set(member.peer, member);
  }

  removeMember(peer: PeerId): void {
    this.#ownMembers().delete(peer);
  }

  /** Changes a member as it is by now. */
  updateMember(peer: PeerId, changes: Partial<Child>): void {
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
  progress(peer: PeerId, changes: Partial<Child> = {}): void {
    this.updateMember(peer, { progressAt: this.at, late: false, ...changes });
  }

  #ownMembers(): Map<PeerId, Child> {
    this.#members ??= new Map(this.#state.members);
    this.#state.members = this.#members;
    return this.#members;
  }

  answer(message: WorkerMessage): void {
    this.effects.push({ type: "answer", message });
  }

  send(peer: PeerId, message: CoordinatorMessage): void {
    this.effects.push({ type: "send", peer, message });
  }

  refuse(peer: PeerId, code: RejectionCode, message: string): void {
    this.send(peer, { type: "rejected", code, message });
  }

  reject(reason: Rejection): void {
    this.effects.push({ type: "reject", reason });
  }

  /** @param worker whom it is about, if not this relay */
  say(event: RelayEventName, text: string, worker?: string): void {
    this.effects.push({ type: "say", event, text, ...(worker === undefined ? {} : { worker }) });
  }
}
