import type { Socket } from "node:net";
import { DelayLine } from "./delay-line.ts";

/** What happens to the bytes of one direction. Probabilities are those of each chunk that is read, of up to 64 KiB. */
export interface LaneConditions {
  readonly delayMs: number;
  readonly bytesPerSecond: number;
  /** Probability that one bit of the chunk is another. */
  readonly flip: number;
  /** Probability that one byte is put in between. */
  readonly insert: number;
  /** Probability that one byte is missing. */
  readonly delete: number;
  /** Nothing passes, not even the end of the connection; it all does once this ends, as after a partition. */
  readonly blackHole: boolean;
  /** So many bytes more pass, then the connection ends, as when the sender dies half-way through a message. */
  readonly cutAfterBytes: number;
}

export const UNHARMED: LaneConditions = {
  delayMs: 0,
  bytesPerSecond: Infinity,
  flip: 0,
  insert: 0,
  delete: 0,
  blackHole: false,
  cutAfterBytes: Infinity,
};

/** What was done. */
export interface LaneCounts {
  flipped: number;
  inserted: number;
  deleted: number;
  /** Connections that the proxy ended. */
  cut: number;
}

interface Surroundings {
  readonly uniform: () => number;
  readonly counts: LaneCounts;
  /** The connection is to end with what has left already. */
  readonly cut: () => void;
  /** The sender's side was reset: so is the other. */
  readonly reset: () => void;
}

/** How a sender's stream ends: with a good-bye (FIN) or without (RST). */
type End = "end" | "reset";

/** Bytes that may wait here before the sender is no longer read. */
const MAX_WAITING_BYTES = 1_000_000;
/** Of a throttled stream: what a packet holds. */
const PIECE_BYTES = 1_460;

/** One direction of a connection: takes from `source`, does harm as told, gives to `sink`. */
export class TcpLane {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #surroundings: Surroundings;
  readonly #line = new DelayLine<Buffer | End>((passing) => this.#pass(passing));
  #conditions = UNHARMED;
  #lastDueAt = 0;
  #waitingBytes = 0;
  #sinkIsFull = false;
  #bytesLeft = Infinity;
  #closed = false;

  constructor(source: Socket, sink: Socket, surroundings: Surroundings) {
    this.#source = source;
    this.#sink = sink;
    this.#surroundings = surroundings;
    source.on("data", (chunk: Buffer) => this.#take(chunk));
    source.on("end", () => this.#line.push("end", this.#dueAt()));
    source.on("error", () => this.#line.push("reset", this.#dueAt()));
    sink.on("drain", () => {
      this.#sinkIsFull = false;
      this.#regulate();
    });
  }

  set(changes: Partial<LaneConditions>): void {
    this.#conditions = { ...this.#conditions, ...changes };
    if (changes.cutAfterBytes !== undefined) this.#bytesLeft = changes.cutAfterBytes;
    if (this.#conditions.blackHole) this.#line.hold();
    else this.#line.release();
    this.#regulate();
  }

  /** Passes nothing on any more. */
  close(): void {
    this.#closed = true;
    this.#line.clear();
  }

  /** When what comes now may leave: never before what came earlier. */
  #dueAt(): number {
    return Math.max(this.#lastDueAt, performance.now() + this.#conditions.delayMs);
  }

  #take(chunk: Buffer): void {
    if (this.#closed) return;
    const { bytesPerSecond } = this.#conditions;
    const bytes = this.#damage(chunk);
    const pieceBytes = bytesPerSecond < Infinity ? PIECE_BYTES : bytes.byteLength;
    this.#waitingBytes += bytes.byteLength;
    for (let start = 0; start < bytes.byteLength; start += pieceBytes) {
      const piece = bytes.subarray(start, start + pieceBytes);
      this.#lastDueAt = this.#dueAt() + (piece.byteLength / bytesPerSecond) * 1_000;
      this.#line.push(piece, this.#lastDueAt);
    }
    this.#regulate();
  }

  #damage(chunk: Buffer): Buffer {
    const { uniform, counts } = this.#surroundings;
    const { flip, insert, delete: remove } = this.#conditions;
    let bytes = chunk;
    const anywhere = () => Math.floor(uniform() * bytes.byteLength);
    if (uniform() < flip) {
      bytes[anywhere()]! ^= 1 << Math.floor(uniform() * 8);
      counts.flipped += 1;
    }
    if (uniform() < insert) {
      const at = anywhere();
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(Math.floor(uniform() * 256)), bytes.subarray(at)]);
      counts.inserted += 1;
    }
    if (uniform() < remove) {
      const at = anywhere();
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      counts.deleted += 1;
    }
    return bytes;
  }

  #pass(passing: Buffer | End): void {
    if (this.#closed) return;
    if (passing === "reset") {
      this.#surroundings.reset();
    } else if (passing === "end") {
      this.#sink.end();
    } else {
      this.#waitingBytes -= passing.byteLength;
      const bytes = passing.subarray(0, this.#bytesLeft);
      this.#bytesLeft -= bytes.byteLength;
      if (this.#sink.writable) this.#sinkIsFull = !this.#sink.write(bytes);
      if (this.#bytesLeft <= 0) this.#surroundings.cut();
      else this.#regulate();
    }
  }

  /** The sender is read while there is room for more. */
  #regulate(): void {
    const full = this.#sinkIsFull || this.#waitingBytes > MAX_WAITING_BYTES || this.#conditions.blackHole;
    if (full) this.#source.pause();
    else this.#source.resume();
  }
}
