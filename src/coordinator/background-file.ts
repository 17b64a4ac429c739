import { closeSync, ftruncateSync, openSync, statSync, write, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { LockstepError, messageOf } from "../shared/errors.ts";
import { makeFolder } from "./run-directory.ts";

const writeTo = promisify(write);

/** Text waits for company up to this size. */
const BUFFER_CHARACTERS = 65_536;
/** A disk that is so far behind counts as one that has failed. */
const MAX_BUFFER_CHARACTERS = 32 * 2 ** 20;

export interface BackgroundFileOptions {
  readonly path: string;
  /** For messages: the option that named the file, and what the file is. */
  readonly option: string;
  readonly what: string;
  /** What the file begins and ends with, whenever it is looked at. */
  readonly head?: string;
  readonly tail?: string;
  /** Told once, when the file cannot be written any more. */
  readonly warn: (message: string) => void;
}

/**
 * A file that grows beside a run, which never waits for it. It is whole after each write: the next one begins where the
 * tail of the last one stood.
 */
export class BackgroundFile {
  readonly #options: BackgroundFileOptions;
  readonly #tail: string;
  readonly #fd: number;
  #buffer = "";
  /** Where the tail stands, in bytes. */
  #position: number;
  #writing: Promise<void> | undefined;
  #hasFailed = false;
  #isClosed = false;

  /**
   * Makes the file, over any that is there.
   * @throws LockstepError `usage` when it cannot be written
   */
  constructor(options: BackgroundFileOptions) {
    const { path, option, head = "", tail = "" } = options;
    this.#options = options;
    this.#tail = tail;
    this.#position = Buffer.byteLength(head);
    this.#fd = create(path, option, head + tail);
  }

  /** Text added from now on is dropped. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  add(text: string): void {
    // Its descriptor may be another file's by now.
    if (this.#hasFailed || this.#isClosed) return;
    this.#buffer += text;
    if (this.#buffer.length >= MAX_BUFFER_CHARACTERS) this.#fail("the disk is too slow");
    else if (this.#buffer.length >= BUFFER_CHARACTERS) this.flush();
  }

  /** Begins to write what is buffered. */
  flush(): void {
    if (this.#buffer !== "") this.#writing ??= this.#write();
  }

  /** Writes what is still buffered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    await this.#write();
    closeSync(this.#fd);
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    try {
      while (this.#buffer !== "") {
        const added = Buffer.from(this.#buffer);
        this.#buffer = "";
        const bytes = Buffer.concat([added, Buffer.from(this.#tail)]);
        for (let done = 0; done < bytes.length;) {
          done += (await writeTo(this.#fd, bytes, done, bytes.length - done, this.#position + done)).bytesWritten;
        }
        this.#position += added.length;
      }
    } catch (error) {
      this.#fail(messageOf(error));
      this.#restoreTail();
    }
    this.#writing = undefined;
  }

  /** A full disk costs the rest of the file, not the training. */
  #fail(reason: string): void {
    this.#buffer = "";
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.warn(`cannot write ${this.#options.what} ${this.#options.path} any more: ${reason}`);
  }

  #restoreTail(): void {
    try {
      ftruncateSync(this.#fd, this.#position);
      writeSync(this.#fd, this.#tail, this.#position);
    } catch {
      // It has been said.
    }
  }
}

function create(path: string, option: string, content: string): number {
  let fd: number | undefined;
  try {
    makeFolder(dirname(path));
    // Opening a pipe would wait for its reader.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw new Error("it is not a regular file");
    fd = openSync(path, "w");
    writeSync(fd, content);
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw new LockstepError("usage", `cannot write ${option} ${path}: ${messageOf(error)}; choose another file`, {
      cause: error,
    });
  }
}
