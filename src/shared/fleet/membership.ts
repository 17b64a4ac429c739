import { type Hello, PROTOCOL_VERSION, type RejectionCode } from "../protocol/messages.ts";
import type { Holdings } from "../protocol/holdings.ts";
import type { PeerId } from "../transport/transport.ts";

/** A worker that was welcomed. Pure data; every change makes a new object. */
export interface Member {
  readonly peer: PeerId;
  /** Fences off messages of any earlier membership. */
  readonly session: string;
  /** For people: "worker-1". */
  readonly name: string;
  readonly incarnation: string;
  readonly host: string;
  readonly pid: number;
  readonly engine: string;
  readonly device: string;
  /** The library that computes and its version, and the version of the device's driver: where there is one. */
  readonly runtime?: string;
  readonly driver?: string;
  /** It has its engine and its data, and can be given work. */
  readonly ready: boolean;
  /** The parameters it was sent and still keeps. */
  readonly holds: Holdings;
  /** Shards and chunks that it says it has computed in this session. */
  readonly computed: number;
  readonly joinedAt: number;
  /** When it was last given work or last computed some, in ms. */
  readonly progressAt: number;
  /** Others do its work as well, and it is given no more, until it is heard to have computed something. */
  readonly late: boolean;
  /** Why it is leaving, once it has said so: it finishes what it owes and gets nothing new. */
  readonly leaving: string | undefined;
  /** What a shard takes it, a running mean in ms, and when that was last measured; undefined when nobody knows. */
  readonly speed: { readonly shardMs: number; readonly at: number } | undefined;
  /** Computations whose numbers were not finite. */
  readonly badAnswers: number;
  readonly pingedAt: number;
  /** Pings sent, which is also the last one's number; and how many there were when its last work began. */
  readonly pings: number;
  readonly pingsBeforeWork: number;
}

export type Members = ReadonlyMap<PeerId, Member>;

/** What a worker must agree with to take part. */
export interface Terms {
  readonly dataDigest: string;
  readonly modelDigest: string;
  /** For people: "MNIST". */
  readonly dataName: string;
}

/** Those that can be given work. */
export function readyMembers(members: Members): Member[] {
  return [...members.values()].filter((member) => member.ready && member.leaving === undefined);
}

/** Whether some member is late, for the board; undefined when none is. */
export function latenessOf(members: Members): ((peer: PeerId) => boolean) | undefined {
  for (const { late } of members.values()) if (late) return (peer) => members.get(peer)?.late === true;
  return undefined;
}

/**
 * Why a worker cannot be taken, or undefined when it can.
 * @param side who looks, for people
 */
export function objection(
  hello: Hello,
  terms: Terms,
  side: "coordinator" | "relay" = "coordinator",
): { code: RejectionCode; message: string } | undefined {
  if (hello.protocol !== PROTOCOL_VERSION) {
    return {
      code: "protocol-version",
      message: `this ${side} speaks protocol version ${PROTOCOL_VERSION}, the worker ${hello.protocol}: install the same version of lockstep on both sides`,
    };
  }
  if (hello.modelDigest !== terms.modelDigest) {
    return {
      code: "model",
      message: `the worker's model has other tensors than the ${side}'s: install the same version of lockstep on both sides`,
    };
  }
  if (hello.dataDigest !== terms.dataDigest) {
    return {
      code: "data",
      message: `the ${side} trains on ${terms.dataName} (digest ${terms.dataDigest.slice(0, 12)}), the worker has other data (digest ${hello.dataDigest.slice(0, 12)}): start the worker with --data and the same files`,
    };
  }
  return undefined;
}
