/** Shows a person how a training goes: a live bar on a terminal, plain lines everywhere else. */

import { styleText } from "node:util";
import type { TrainingConfig } from "../shared/config.ts";
import type { TrainingEvent } from "../shared/events.ts";
import { COORDINATOR_EVENTS } from "../shared/log/vocabulary.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { LEFT_OUT, LineBudget } from "./log/line-budget.ts";
import { Narrative, type NarrativeOptions, type Telling } from "./log/narrative.ts";
import { ProgressBar, type BarState } from "./progress-bar.ts";
import { Throughput } from "./throughput.ts";

export interface ProgressOptions extends Pick<TrainingConfig, "logEvery" | "json" | "quiet">, NarrativeOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Milliseconds of any one clock that never runs backwards, such as `performance.now`. */
  readonly now: () => number;
  /** `NO_COLOR` (https://no-color.org) and `TERM` are respected. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Started = Extract<TrainingEvent, { type: "started" }>;
type Step = Extract<TrainingEvent, { type: "step" }>;

/**
 * Progress goes to stdout, warnings and lost workers to stderr. With `json`, progress goes to stderr and stdout gets one
 * line, the result as JSON. With `quiet`, only the accuracy, warnings and the JSON are left. Never throws, whatever
 * becomes of the streams.
 */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #stdout: TextOutput;
  readonly #stderr: TextOutput;
  /** Where progress goes. */
  readonly #human: TextOutput;
  readonly #narrative: Narrative;
  readonly #budget = new LineBudget();
  #bar: ProgressBar | undefined;
  #step: Step | undefined;
  #workers = 0;
  #throughput = new Throughput(0);
  #lastStepAt = 0;
  #evaluationMs = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#narrative = new Narrative(options);
    this.#stdout = new TextOutput(options.stdout);
    this.#stderr = new TextOutput(options.stderr);
    this.#human = options.json ? this.#stderr : this.#stdout;
  }

  handle(event: TrainingEvent): void {
    if (event.type === "step") this.#stepDone(event);
    else if (event.type === "worker-joined" || event.type === "worker-left") this.#workers = event.workers;
    else if (event.type === "epoch") this.#evaluated();
    else if (event.type === "finished") this.close();
    const isLine = event.type !== "step" || (!this.#bar && event.stepInEpoch % this.#options.logEvery === 0);
    if (isLine) this.#tellAbout(event);
    if (event.type === "started") this.#start(event);
    if (event.type === "finished" && this.#options.json) this.#stdout.line(JSON.stringify(event.result));
  }

  #tellAbout(event: TrainingEvent): void {
    const verdict = this.#budget.take(event, this.#options.now());
    if (verdict === "untold") return;
    for (const telling of this.#narrative.tell(verdict === "last" ? LEFT_OUT : event)) this.#tell(telling);
  }

  /** @returns whether it has been said how the run failed: that is left to the command */
  fail(): boolean {
    return false;
  }

  /** @param path of the run's report */
  reported(path: string): void {
    this.#say(`Report ${path}`);
  }

  /** Whether stdout has taken everything so far. */
  get isWritten(): boolean {
    return !this.#stdout.hasFailed;
  }

  /** Takes the bar away. Needed however the run ends, since the bar's timer keeps the process alive. */
  close(): void {
    this.#bar?.close();
    this.#bar = undefined;
  }

  #start(event: Started): void {
    this.#workers = event.workers;
    this.#lastStepAt = this.#options.now();
    this.#throughput = new Throughput(this.#lastStepAt);
    const live = this.#human.isTTY && this.#options.environment.TERM !== "dumb" && !this.#options.quiet;
    if (live) this.#bar = new ProgressBar(this.#human, () => this.#barState(event));
  }

  #stepDone(event: Step): void {
    this.#step = event;
    this.#workers = event.workers;
    this.#lastStepAt = this.#options.now();
    this.#throughput.step(this.#lastStepAt, event.samples);
  }

  #evaluated(): void {
    const now = this.#options.now();
    this.#evaluationMs = now - this.#lastStepAt;
    this.#throughput.skip(now);
  }

  #barState(started: Started): BarState {
    const samplesPerSecond = this.#throughput.samplesPerSecond(this.#options.now());
    const step = this.#step?.step ?? started.step;
    const stepsLeft = started.totalSteps - step;
    const samplesLeft = (stepsLeft * started.trainSamples) / started.stepsPerEpoch;
    const evaluationsLeft = Math.ceil(stepsLeft / started.stepsPerEpoch);
    return {
      step,
      totalSteps: started.totalSteps,
      epoch: this.#step?.epoch ?? Math.min(started.epochs, Math.floor(step / started.stepsPerEpoch) + 1),
      epochs: started.epochs,
      loss: this.#step?.loss,
      samplesPerSecond,
      etaSeconds:
        samplesPerSecond > 0
          ? samplesLeft / samplesPerSecond + (evaluationsLeft * this.#evaluationMs) / 1000
          : undefined,
      workers: this.#workers,
    };
  }

  #tell({ event, text, isNews, isResult = false }: Telling): void {
    if (!isNews) return;
    if (COORDINATOR_EVENTS[event] === "warn") this.#warn(text);
    else if (isResult) this.#human.line(this.#coloured("bold", text, this.#human));
    else this.#say(text);
  }

  #say(line: string): void {
    if (this.#options.quiet) return;
    if (this.#bar) this.#bar.above(line);
    else this.#human.line(line);
  }

  #warn(line: string): void {
    const coloured = this.#coloured("yellow", line, this.#stderr);
    // On a terminal that shows both streams, only the bar can print without tearing itself.
    if (this.#bar && this.#stderr.isTTY) this.#bar.above(coloured);
    else this.#stderr.line(coloured);
  }

  #coloured(style: "bold" | "yellow", text: string, output: TextOutput): string {
    const { NO_COLOR, TERM } = this.#options.environment;
    return output.isTTY && !NO_COLOR && TERM !== "dumb" ? styleText(style, text, { validateStream: false }) : text;
  }
}
