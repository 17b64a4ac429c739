import type { Frames } from "../protocol/codec.ts";
import type { VectorMemory } from "../vector/vector-memory.ts";

/** A worker as the coordinator's transport knows it: stable while its connection lasts. */
export type PeerId = string;

export interface CoordinatorHandlers {
  /** Frames are valid until this returns: retain or copy what must be kept. */
  onMessage(peer: PeerId, frames: Frames): void;
  /** A message could not be delivered since the peer's connection is gone; the peer's id will not come back. */
  onUnreachable(peer: PeerId): void;
  /**
   * A message of the peer was damaged on its way, and is not delivered.
   * @param problem a sentence
   */
  onDamaged(peer: PeerId, problem: string): void;
  /**
   * Somebody was not let in.
   * @param reason a sentence without a subject
   */
  onRefused?(reason: string): void;
}

export interface WorkerHandlers {
  /** Frames are valid until this returns: retain or copy what must be kept. */
  onMessage(frames: Frames): void;
  /**
   * A message was damaged on its way, and is not delivered. What comes next comes over a new connection, since nothing that
   * follows on the old one can be trusted.
   * @param problem a sentence
   */
  onDamaged(problem: string): void;
  /**
   * Whoever is there does not let this end in, or is not who it should be; it goes on trying. Told once until it succeeds.
   * @param problem a sentence
   */
  onRefused?(problem: string): void;
}

/** Memory for vectors that are to be sent: some transports move it to the other side without a copy. */
export interface PayloadMemory {
  /** Where both sides see the vectors that are sent and those that were allocated; undefined where frames are copies. */
  readonly vectors: VectorMemory | undefined;
  /** A vector to fill and then to send, to one peer or to several. Its contents are undefined. */
  allocate(length: number): Float32Array;
  /** Keeps a vector, or a frame that was received, valid until it is released once more. */
  retain(vector: Float32Array | Uint8Array): void;
  /** Gives back a vector that was allocated or retained; it may still be under way. */
  release(vector: Float32Array | Uint8Array): void;
}

/**
 * The coordinator's end. Messages between one pair of ends arrive in order, whole and unharmed, or not at all.
 * Whatever was sent must not be written to again.
 */
export interface CoordinatorTransport {
  /** Where workers connect: a free port is resolved. */
  readonly address: string;
  readonly memory: PayloadMemory;
  /** Begins to deliver. To be called once. */
  start(handlers: CoordinatorHandlers): void;
  send(peer: PeerId, frames: Frames): void;
  /** Gives what was sent a moment to leave. From now on nothing is delivered, and sending does nothing. */
  close(): Promise<void>;
}

/** A worker's end; it reconnects by itself. */
export interface WorkerTransport {
  readonly memory: PayloadMemory;
  /** Begins to deliver. To be called once. */
  start(handlers: WorkerHandlers): void;
  send(frames: Frames): void;
  /** Gives what was sent a moment to leave. From now on nothing is delivered, and sending does nothing. */
  close(): Promise<void>;
}

/** Memory that is new each time: for transports that may still read a vector long after it was sent. */
export const FRESH_MEMORY: PayloadMemory = {
  vectors: undefined,
  allocate: (length) => new Float32Array(length),
  retain: () => {},
  release: () => {},
};
