/** Writing text for a person to a terminal, a file or a pipe whose reader may have gone. */

/** The part of a stream that is used; `process.stdout` and `process.stderr` are such streams. */
export interface TextStream {
  write(text: string): unknown;
  on?(event: "error", listener: (error: Error) => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** One listener a stream is enough, however many outputs come and go. */
const failed = new WeakMap<TextStream, { value: boolean }>();

/**
 * A stream that never fails its writer: once a write fails (EPIPE under `| head`, a full disk behind `> file`), the rest
 * is dropped. What is printed must not decide whether a training goes on.
 */
export class TextOutput {
  readonly #stream: TextStream;
  readonly #failed: { value: boolean };

  constructor(stream: TextStream) {
    this.#stream = stream;
    let state = failed.get(stream);
    if (!state) {
      const created = { value: false };
      stream.on?.("error", () => (created.value = true));
      failed.set(stream, created);
      state = created;
    }
    this.#failed = state;
  }

  /** Whether something could not be written. A stream may find that out only after the write. */
  get hasFailed(): boolean {
    return this.#failed.value;
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number | undefined {
    return this.#stream.columns;
  }

  write(text: string): boolean {
    if (this.#failed.value) return false;
    try {
      this.#stream.write(text);
    } catch {
      this.#failed.value = true;
    }
    return !this.#failed.value;
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }
}
