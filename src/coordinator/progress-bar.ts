/** The live line at the bottom of a terminal. The only file that imports cli-progress. */

import { MultiBar, type SingleBar } from "cli-progress";
import { formatClock, formatCount, formatPlural } from "../shared/format.ts";
import type { TextOutput } from "../shared/text-output.ts";

/** Kept free at the end of the line: a terminal echoes Ctrl-C as ^C, which must not wrap. */
const ECHO_COLUMNS = 3;

/** What the bar shows at one moment. */
export interface BarState {
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly epochs: number;
  /** Of the last step, in nats; absent before the first. */
  readonly loss: number | undefined;
  readonly samplesPerSecond: number;
  /** Absent while it cannot be told. */
  readonly etaSeconds: number | undefined;
  readonly workers: number;
}

const FULL_WIDTH = 30;
const LEAST_WIDTH = 8;

/** A bar that draws itself ten times a second from what `state` returns, until `close`. */
export class ProgressBar {
  // A MultiBar of one, because a SingleBar has no way to print lines above itself.
  readonly #bars: MultiBar;
  readonly #bar: SingleBar;
  #closed = false;

  constructor(output: TextOutput, state: () => BarState) {
    this.#bars = new MultiBar({
      // cli-progress only writes, and asks for isTTY and columns.
      stream: output as unknown as NodeJS.WritableStream,
      format: (_options, { maxWidth }) => barLine(state(), maxWidth - ECHO_COLUMNS),
      clearOnComplete: true,
      // Redrawn each time, since what is printed above wipes the line.
      forceRedraw: true,
      // Cut long lines here rather than switch the terminal's wrapping off, which a crash would leave off.
      linewrap: true,
      gracefulExit: false,
    });
    this.#bar = this.#bars.create(1, 0);
    this.#bars.update();
  }

  /** Prints a line above the bar. */
  above(line: string): void {
    this.#bars.log(`${line}\n`);
    this.#bars.update();
  }

  /** Wipes the bar and stops drawing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#bar.stop();
    this.#bars.stop();
  }
}

/** One line of at most `width` columns; on a narrow terminal the bar shrinks first, then fields go from the right. */
export function barLine(state: BarState, width: number): string {
  const share = Math.min(1, state.step / state.totalSteps);
  const fields = [
    `${Math.floor(share * 100)} %`,
    `Epoch ${state.epoch}/${state.epochs}`,
    `step ${formatCount(state.step)}/${formatCount(state.totalSteps)}`,
    `loss ${state.loss === undefined ? "-" : state.loss.toFixed(4)}`,
    `${formatCount(state.samplesPerSecond)} img/s`,
    `ETA ${state.etaSeconds === undefined ? "-" : formatClock(state.etaSeconds)}`,
    formatPlural(state.workers, "worker"),
  ];
  while (fields.length > 1 && fields.join(" | ").length > width) fields.pop();
  const text = fields.join(" | ");
  const barWidth = Math.min(FULL_WIDTH, width - text.length - 3);
  if (barWidth < LEAST_WIDTH) return text.slice(0, width);
  const done = Math.floor(share * barWidth);
  return `[${"=".repeat(done)}${"-".repeat(barWidth - done)}] ${text}`;
}
