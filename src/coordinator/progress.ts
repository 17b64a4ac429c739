/** Shows a person how a training goes: a live bar on a terminal, plain lines everywhere else. */

import { styleText } from "node:util";
import type { TrainingConfig } from "../shared/config.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { formatCount, formatPercent, formatPlural, formatSeconds } from "../shared/format.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { ProgressBar, type BarState } from "./progress-bar.ts";
import { Throughput } from "./throughput.ts";

export interface ProgressOptions extends Pick<TrainingConfig, "logEvery" | "json" | "quiet"> {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Milliseconds of any one clock that never runs backwards, such as `performance.now`. */
  readonly now: () => number;
  /** `NO_COLOR` (https://no-color.org) and `TERM` are respected. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Somebody has to start the workers, so say how; false where they are started by the command itself. */
  readonly workersByHand: boolean;
  /** Workers that the command itself starts: that they join is no news. */
  readonly localWorkers?: number;
}

type Started = Extract<TrainingEvent, { type: "started" }>;
type Resumed = Extract<TrainingEvent, { type: "resumed" }>;
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
  #resumed: Resumed | undefined;
  #bar: ProgressBar | undefined;
  #address: string | undefined;
  #started: Started | undefined;
  #step: Step | undefined;
  #workers = 0;
  #expectedWorkers: number;
  #throughput = new Throughput(0);
  #lastStepAt = 0;
  #evaluationMs = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#expectedWorkers = options.localWorkers ?? 0;
    this.#stdout = new TextOutput(options.stdout);
    this.#stderr = new TextOutput(options.stderr);
    this.#human = options.json ? this.#stderr : this.#stdout;
  }

  handle(event: TrainingEvent): void {
    switch (event.type) {
      case "listening":
        this.#address = event.address;
        if (this.#options.workersByHand) this.#say(`Listening on ${event.address}${this.#howToJoin("workers")}`);
        return;
      case "monitoring":
        return this.#say(`Metrics for Prometheus at ${event.url}`);
      case "resumed":
        return this.#resume(event);
      case "started":
        return this.#start(event);
      case "worker-joined":
        this.#workers = event.workers;
        if (event.workers > this.#expectedWorkers) {
          this.#say(
            `Worker ${event.worker} joined: ${event.engine} on ${event.device}, host ${event.host}, pid ${event.pid}; ` +
              `${formatPlural(event.workers, "worker")} ready`,
          );
        }
        return;
      case "worker-left": {
        this.#workers = event.workers;
        const what =
          `worker ${event.worker}: ${event.reason.replace(/\.$/, "")}; ` +
          `${formatPlural(event.shardsReassigned, "shard")} reassigned, ${formatPlural(event.workers, "worker")} left`;
        this.#expectedWorkers = 0;
        if (event.lost) this.#warn(`lost ${what}`);
        else this.#say(`Released ${what}`);
        return;
      }
      case "worker-late":
        return this.#say(
          `Worker ${event.worker} is late with ${formatPlural(event.shards, "shard")} of step ` +
            `${formatCount(event.step)} (${formatSeconds(event.lateMs / 1000)}): others compute them as well`,
        );
      case "waiting":
        return this.#warn(
          `waiting for workers: ${event.workers} of ${event.minWorkers} ready after ` +
            `${Math.round(event.waitedMs / 1000)} s${this.#howToJoin("one")}`,
        );
      case "workers-chosen":
        return this.#workersChosen(event);
      case "step":
        return this.#stepDone(event);
      case "epoch":
        return this.#epochDone(event);
      case "warning":
        return this.#warn(`warning: ${event.message}`);
      case "finished":
        return this.#finish(event.result);
      case "rejected":
      case "checkpoint":
      case "checkpoint-failed":
        return;
      default:
        event satisfies never;
    }
  }

  #workersChosen({ workers, tried }: Extract<TrainingEvent, { type: "workers-chosen" }>): void {
    const most = Math.max(...tried.map((each) => each.workers));
    // Those that stand by have joined as well.
    this.#expectedWorkers = Math.max(this.#expectedWorkers, most);
    const times = tried.map((each) => `${each.stepMs.toFixed(2)} ms with ${each.workers}`).join(", ");
    const rest = workers < most ? "; the others stand by" : "";
    this.#say(`Using ${workers} of ${formatPlural(most, "worker")}: a step takes ${times}${rest}`);
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

  #resume(event: Resumed): void {
    this.#resumed = event;
    this.#say(
      `Resuming ${event.runDir} from step ${formatCount(event.step)} of ${formatCount(event.totalSteps)} ` +
        `(epoch ${event.epoch} of ${event.epochs})`,
    );
  }

  #start(event: Started): void {
    this.#started = event;
    this.#workers = event.workers;
    this.#lastStepAt = this.#options.now();
    this.#throughput = new Throughput(this.#lastStepAt);
    this.#say(
      `Training on ${formatCount(event.trainSamples)} images: ${formatPlural(event.epochs, "epoch")} of ` +
        `${formatPlural(event.stepsPerEpoch, "step")}, ${formatPlural(Math.max(event.workers, this.#expectedWorkers), "worker")}`,
    );
    const live = this.#human.isTTY && this.#options.environment.TERM !== "dumb" && !this.#options.quiet;
    if (live) this.#bar = new ProgressBar(this.#human, () => this.#barState(event));
  }

  #stepDone(event: Step): void {
    this.#step = event;
    this.#workers = event.workers;
    this.#lastStepAt = this.#options.now();
    this.#throughput.step(this.#lastStepAt, event.samples);
    if (this.#bar || event.stepInEpoch % this.#options.logEvery !== 0) return;
    const { epochs, stepsPerEpoch } = this.#started ?? { epochs: event.epoch, stepsPerEpoch: event.stepInEpoch };
    this.#say(
      `Epoch [${event.epoch}/${epochs}], Step [${event.stepInEpoch}/${stepsPerEpoch}], Loss: ${event.loss.toFixed(4)}`,
    );
  }

  #epochDone(event: Extract<TrainingEvent, { type: "epoch" }>): void {
    const now = this.#options.now();
    this.#evaluationMs = now - this.#lastStepAt;
    this.#throughput.skip(now);
    this.#say(
      `Epoch [${event.epoch}/${this.#started?.epochs ?? event.epoch}] done: train loss ${event.trainLoss.toFixed(4)}, ` +
        `test accuracy ${formatPercent(event.testAccuracy)}, ${formatCount(event.samplesPerSecond)} images/s`,
    );
  }

  #finish(result: TrainingResult): void {
    this.close();
    if (result.interruptedBy) {
      this.#say(`Interrupted by ${result.interruptedBy} after ${formatPlural(result.steps, "step")}`);
    } else if (result.testAccuracy !== null) {
      const { testSamples } = this.#started ?? this.#resumed ?? { testSamples: 0 };
      const accuracy = `Accuracy of the network on the ${testSamples} test images: ${formatPercent(result.testAccuracy)}`;
      this.#human.line(this.#coloured("bold", accuracy, this.#human));
    }
    if (result.steps > 0) this.#summarise(result);
    if (this.#options.json) this.#stdout.line(JSON.stringify(result));
  }

  #summarise(result: TrainingResult): void {
    const before = result.resumedFrom ?? 0;
    if (result.steps > before) {
      const lost = result.workersLost > 0 ? `, ${result.workersLost} lost on the way` : "";
      const inAll = before > 0 ? ` (${formatCount(result.steps)} in all)` : "";
      this.#say(
        `Trained ${formatPlural(result.steps - before, "step")}${inAll} in ${formatSeconds(result.trainSeconds)}: ` +
          `${formatCount(result.samplesPerSecond)} images/s with ${formatPlural(result.workers, "worker")}${lost}, ` +
          `${result.engine} engine`,
      );
    }
    if (result.efficiency !== null) this.#say(result.efficiency.summary);
    if (result.checkpoint !== "") {
      this.#say(`Weights ${result.weightsSha256.slice(0, 16)} (SHA-256), checkpoint ${result.checkpoint}`);
      this.#say(`Evaluate them with: npx lockstep eval --checkpoint ${shellWord(result.checkpoint)}`);
    }
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

  #howToJoin(what: "one" | "workers"): string {
    if (!this.#options.workersByHand || this.#address === undefined) return "";
    // Addresses that mean "every interface" are no use to a worker elsewhere.
    const reachable = this.#address.replace(/^tcp:\/\/(\*|0\.0\.0\.0|\[::\]):/, "tcp://HOST:");
    return `; start ${what} with: lockstep worker --connect ${reachable}`;
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

/** Quoted where a shell would take it apart. */
function shellWord(path: string): string {
  return /^[\w./@:+,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
