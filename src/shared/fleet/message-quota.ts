import { LIMITS } from "../protocol/messages.ts";
import type { PeerId } from "../transport/transport.ts";

/**
 * How many messages a peer may send. Answers that count are as many as there is work, so that they are free, and earn
 * others; what is left is a few a second. Pure: time is given in ms.
 */

/** A bucket that fills with time: each message takes one from it. */
interface Rate {
  readonly most: number;
  readonly perSecond: number;
}

/**
 * A worker answers some ten pings a second, and sends again in vain what others have done already, or what came twice: no
 * more than it was given, and each answer that counts makes up for two.
 */
const OF_MEMBER: Rate = { most: 1_024, perSecond: 256 };
/** Whoever is not a member has nothing to say but "hello": seven times in its first second, then once a second. */
const OF_STRANGER: Rate = { most: 32, perSecond: 4 };
/** All strangers together: a fleet that comes at once, or comes back to a coordinator that was restarted. */
const OF_STRANGERS: Rate = { most: 16 * LIMITS.members, perSecond: 4 * LIMITS.members };
const EARNED = 2;
/** Those that are remembered; who is forgotten begins anew. */
const MAX_STRANGERS = 4 * LIMITS.members;
const MAX_MEMBERS = 2 * LIMITS.members;

export type Admission = "admitted" | "too-many";

/** Says which messages are to be looked at. */
export class MessageQuota {
  readonly #isMember: (peer: PeerId) => boolean;
  readonly #members = new Map<PeerId, Bucket>();
  readonly #strangers = new Map<PeerId, Bucket>();
  readonly #allStrangers = new Bucket(OF_STRANGERS);

  constructor(isMember: (peer: PeerId) => boolean) {
    this.#isMember = isMember;
  }

  /** Takes one message from what a peer may send at this time. */
  admit(peer: PeerId, at: number): Admission {
    if (this.#isMember(peer)) {
      const isWithin = bucketOf(this.#members, peer, OF_MEMBER, MAX_MEMBERS).take(at);
      return isWithin ? "admitted" : "too-many";
    }
    // Asked second: one stranger alone cannot use up what all have.
    const isWithin =
      bucketOf(this.#strangers, peer, OF_STRANGER, MAX_STRANGERS).take(at) && this.#allStrangers.take(at);
    return isWithin ? "admitted" : "too-many";
  }

  /** An answer of a member has counted. */
  earned(peer: PeerId): void {
    this.#members.get(peer)?.add(EARNED);
  }
}

/** Those that were heard last are kept. */
function bucketOf(buckets: Map<PeerId, Bucket>, peer: PeerId, rate: Rate, most: number): Bucket {
  const known = buckets.get(peer);
  if (known !== undefined) {
    // With few there is no need to know who was heard last.
    if (buckets.size * 2 > most) {
      buckets.delete(peer);
      buckets.set(peer, known);
    }
    return known;
  }
  const bucket = new Bucket(rate);
  buckets.set(peer, bucket);
  const [oldest] = buckets.keys();
  if (buckets.size > most && oldest !== undefined) buckets.delete(oldest);
  return bucket;
}

class Bucket {
  readonly #rate: Rate;
  #left: number;
  #filledAt = -Infinity;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#left = rate.most;
  }

  /** @returns whether there was one */
  take(at: number): boolean {
    this.add(((at - this.#filledAt) / 1000) * this.#rate.perSecond);
    this.#filledAt = at;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  add(messages: number): void {
    this.#left = Math.min(this.#rate.most, this.#left + messages);
  }
}
