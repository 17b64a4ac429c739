import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, write, writeSync } from "node:fs";
import { promisify } from "node:util";
import { messageOf } from "../../shared/errors.ts";
import { formatCount } from "../../shared/format.ts";

const writeTo = promisify(write);

const MAX_BYTES = 64 * 2 ** 20;
/** A line is shorter: what is longer at the end of a file is not one. */
const LONGEST_LINE_BYTES = 2 ** 20;
const LINE_END = "\n".charCodeAt(0);

export interface LogFileOptions {
  readonly path: string;
  readonly maxBytes?: number;
  /** Told once when nothing more is written, because of the limit or of an error. It may add the last line. */
  readonly warn: (message: string) => void;
}

/**
 * A file to which lines are appended beside a run, which never waits for it. What was added is written at once, in
 * another thread; what is still to be written when the process ends, or fails, is written then. Never throws.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #maxBytes: number;
  readonly #atExit = (): void => this.#writeRest();
  #fd: number | undefined;
  #buffer = "";
  /** What the other thread is writing, and where that belongs. */
  #inFlight: Buffer = Buffer.alloc(0);
  #position = 0;
  /** Bytes of the file, with those to be written. */
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #isEnding = false;
  #hasEnded = false;

  /** Opens the file, which is made if it is not there. What a process left of a line that it could not write whole goes. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    process.on("exit", this.#atExit);
    try {
      // Not to append: where something is written decides the position, so that it may be written again.
      this.#fd = openSync(options.path, constants.O_RDWR | constants.O_CREAT, 0o666);
      this.#position = cutTornLine(this.#fd);
      this.#bytes = this.#position;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param line with its line end */
  add(line: string): void {
    if (this.#hasEnded) return;
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > this.#maxBytes && !this.#isEnding) {
      this.#isEnding = true;
      this.#options.warn(
        `the log ${this.#options.path} is full (${formatCount(this.#maxBytes)} bytes): what follows is not written there`,
      );
      this.#hasEnded = true;
      return;
    }
    this.#bytes += bytes;
    this.#buffer += line;
    this.#writing ??= this.#write();
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    this.#hasEnded = true;
    await this.#writing;
    this.#writeRest();
    process.off("exit", this.#atExit);
    try {
      if (this.#fd !== undefined) closeSync(this.#fd);
    } catch {
      // On network disks this is where a failed write comes out; the run has ended.
    }
    this.#fd = undefined;
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    // Together with whatever else is told in this turn.
    await Promise.resolve();
    try {
      while (this.#buffer !== "" && this.#fd !== undefined) {
        this.#inFlight = Buffer.from(this.#buffer);
        this.#buffer = "";
        const { length } = this.#inFlight;
        for (let done = 0; done < length;) {
          done += (await writeTo(this.#fd, this.#inFlight, done, length - done, this.#position + done)).bytesWritten;
        }
        this.#position += length;
        this.#inFlight = Buffer.alloc(0);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = undefined;
  }

  #writeRest(): void {
    const rest = Buffer.concat([this.#inFlight, Buffer.from(this.#buffer)]);
    this.#buffer = "";
    if (this.#fd === undefined) return;
    try {
      for (let done = 0; done < rest.length;) {
        done += writeSync(this.#fd, rest, done, rest.length - done, this.#position + done);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A full disk costs the rest of the log, not the training. */
  #fail(error: unknown): void {
    this.#buffer = "";
    this.#inFlight = Buffer.alloc(0);
    try {
      if (this.#fd !== undefined) ftruncateSync(this.#fd, this.#position);
    } catch {
      // Whoever reads it, or goes on with it, passes over half a line.
    }
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.warn(`cannot write the log ${this.#options.path}, what follows is lost: ${messageOf(error)}`);
  }
}

/** @returns how long the file is then, in bytes */
function cutTornLine(fd: number): number {
  const { size } = fstatSync(fd);
  const tail = Buffer.alloc(Math.min(size, LONGEST_LINE_BYTES));
  readSync(fd, tail, 0, tail.length, size - tail.length);
  const whole = size - tail.length + tail.lastIndexOf(LINE_END) + 1;
  if (whole < size) ftruncateSync(fd, whole);
  return whole;
}
