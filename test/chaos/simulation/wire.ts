import type { Fate, Passage } from "../../../src/shared/transport/memory.ts";
import type { PeerId } from "../../../src/shared/transport/transport.ts";
import type { FakeTime } from "../../support/fake-clock.ts";
import type { Draws } from "../draws.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** How often what goes wrong with a message, 0 to 1 each. */
export interface Quality {
  readonly lost: number;
  readonly repeated: number;
  readonly overtaken: number;
  readonly damaged: number;
  /** Longest time on the way, in ms. */
  readonly latencyMs: number;
}

export const PERFECT: Quality = { lost: 0, repeated: 0, overtaken: 0, damaged: 0, latencyMs: 0 };

/** So many deliveries of others may come between where a message belongs and where it comes. */
const FARTHEST = 30;

export interface WireOptions {
  readonly time: FakeTime;
  readonly draws: Draws;
  readonly workers: () => readonly WorkerProcess[];
  readonly isCoordinatorFrozen: () => boolean;
}

/** The network's weather: what becomes of each message that is sent. */
export class Wire {
  quality = PERFECT;
  /** Messages that were damaged so far. */
  damaged = 0;
  readonly #options: WireOptions;
  readonly #owners = new Map<PeerId, WorkerProcess>();
  /** Until when nobody has noticed that a connection is gone. */
  readonly #unnoticed = new Map<PeerId, number>();

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** A connection is gone, or about to go, which is noticed only after a while. */
  leaveUnnoticed(peer: PeerId, ms: number): void {
    this.#unnoticed.set(peer, this.#options.time.now + ms);
  }

  fate(passage: Passage): Fate {
    const { time, draws, isCoordinatorFrozen } = this.#options;
    const { direction, peer, frames } = passage;
    if (direction === "to-coordinator" && frames.length === 0)
      return { copies: 1, delay: 0, held: isCoordinatorFrozen };
    if (direction === "to-worker" && time.now < (this.#unnoticed.get(peer) ?? 0)) return { copies: 0, delay: 0 };
    const owner = this.#ownerOf(peer);
    const { lost, repeated, overtaken, damaged, latencyMs } = this.quality;
    const isLost = draws.uniform() < lost || owner?.link[direction] === "lost";
    // An answer that is not finite and comes twice cannot be told from two such answers.
    const isRepeated = draws.uniform() < repeated && !hasNaN(frames);
    const delay = draws.uniform() < overtaken ? draws.below(FARTHEST) : 0;
    const isDamaged = draws.uniform() < damaged;
    const dueAt = time.now + draws.uniform() * latencyMs;
    if (isDamaged && !isLost) this.damaged += 1;
    const isReceiverFrozen = direction === "to-worker" ? () => owner?.clock.frozen === true : isCoordinatorFrozen;
    return {
      ...{ copies: isLost ? 0 : isRepeated ? 2 : 1, delay, apart: draws.below(FARTHEST), damaged: isDamaged },
      held: () => time.now < dueAt || isReceiverFrozen() || owner?.link[direction] === "held",
    };
  }

  /** Remembered, since a connection that is gone may still have messages under way. */
  #ownerOf(peer: PeerId): WorkerProcess | undefined {
    const owner = this.#owners.get(peer) ?? this.#options.workers().find(({ end }) => end.peer === peer);
    if (owner !== undefined) this.#owners.set(peer, owner);
    return owner;
  }
}

/** Where `NoiseEngine` puts one, each sum that it is part of has one. */
function hasNaN([, ...payload]: Passage["frames"]): boolean {
  return payload.some(({ buffer, byteOffset, byteLength }) => {
    return byteLength >= 4 && Number.isNaN(new DataView(buffer, byteOffset, byteLength).getFloat32(0, true));
  });
}
