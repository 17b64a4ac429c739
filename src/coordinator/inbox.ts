import { LockstepError } from "../shared/errors.ts";
import { MessageQuota } from "../shared/fleet/message-quota.ts";
import { MessageCounts } from "../shared/metrics/message-counts.ts";
import { type Decoded, decodeFromWorker, type Frames } from "../shared/protocol/codec.ts";
import type { WorkerMessage } from "../shared/protocol/messages.ts";
import type { PeerId } from "../shared/transport/transport.ts";
import type { RunPlan } from "./plan.ts";

/** Takes what workers send: whether it is to be looked at, what it says, how much there was, and when. */
export class Inbox {
  /** What was received so far. */
  readonly received = MessageCounts.ofWorkers();
  readonly #plan: RunPlan;
  readonly #isMember: (peer: PeerId) => boolean;
  readonly #quota: MessageQuota;
  /** When each of those that were welcomed was last heard, in ms. */
  readonly #heard = new Map<PeerId, { at: number }>();

  constructor(plan: RunPlan, isMember: (peer: PeerId) => boolean) {
    this.#plan = plan;
    this.#isMember = isMember;
    this.#quota = new MessageQuota(isMember);
  }

  /** Whether a message is to be looked at: there is a limit to how many a peer may send. */
  admits(peer: PeerId, at: number): boolean {
    return this.#quota.admit(peer, at) === "admitted";
  }

  /** @throws LockstepError "protocol" with a sentence that says what is wrong */
  read(peer: PeerId, frames: Frames, at: number): Decoded<WorkerMessage> {
    const decoded = decodeFromWorker(frames);
    const { header } = decoded;
    this.received.add(header.type, frames);
    const heard = this.#heard.get(peer);
    if (heard !== undefined) heard.at = at;
    if (header.type === "evaluated" && header.correct > this.#plan.chunk(header.chunk).count) {
      throw new LockstepError("protocol", `malformed message: ${header.correct} correct answers in a smaller chunk`);
    }
    return decoded;
  }

  /** A message has done what it came for: an answer that counts is not held against its sender. */
  taken(peer: PeerId, { type }: WorkerMessage): void {
    if (type === "result" || type === "evaluated") this.#quota.earned(peer);
  }

  /** Notes when a worker is heard from now on; those that have left are forgotten. */
  welcome(peer: PeerId, at: number): void {
    for (const known of this.#heard.keys()) if (!this.#isMember(known)) this.#heard.delete(known);
    this.#heard.set(peer, { at });
  }

  /** When a worker was last heard, in ms; undefined for those that were never welcomed. */
  heardAt(peer: PeerId): number | undefined {
    return this.#heard.get(peer)?.at;
  }
}
