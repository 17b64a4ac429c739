import type { Frames } from "../protocol/codec.ts";

/** A worker as the coordinator's transport knows it: stable while its connection lasts. */
export type PeerId = string;

export interface CoordinatorHandlers {
  onMessage(peer: PeerId, frames: Frames): void;
  /** A message could not be delivered since the peer's connection is gone; the peer's id will not come back. */
  onUnreachable(peer: PeerId): void;
}

/**
 * The coordinator's end. Messages between one pair of ends arrive in order and whole, or not at all.
 * Whatever was sent must not be written to again.
 */
export interface CoordinatorTransport {
  /** Where workers connect: a free port is resolved. */
  readonly address: string;
  /** Begins to deliver. To be called once. */
  start(handlers: CoordinatorHandlers): void;
  send(peer: PeerId, frames: Frames): void;
  /** Gives what was sent a moment to leave. From now on nothing is delivered, and sending does nothing. */
  close(): Promise<void>;
}

/** A worker's end; it reconnects by itself. */
export interface WorkerTransport {
  start(onMessage: (frames: Frames) => void): void;
  send(frames: Frames): void;
  /** Gives what was sent a moment to leave. From now on nothing is delivered, and sending does nothing. */
  close(): Promise<void>;
}
