import type { Evaluation, TrainingEvent } from "../shared/events.ts";
import { Narrative } from "./log/narrative.ts";
import { Throughput } from "./throughput.ts";

const EVENTS = 20;

interface Told {
  /** ISO 8601. */
  readonly time: string;
  readonly text: string;
}

interface Options {
  /** Milliseconds of any one clock that never runs backwards. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly time: () => number;
}

/** How a run stands and what happened last, for /status. Recording a step adds to plain numbers. */
export class RunStatus {
  readonly #options: Options;
  readonly #narrative = new Narrative({ workersByHand: false });
  #throughput: Throughput;
  #step: Extract<TrainingEvent, { type: "step" }> | undefined;
  #epoch: Extract<TrainingEvent, { type: "epoch" }> | undefined;
  #evaluation: Evaluation | undefined;
  #bestEpoch: number | undefined;
  #totalSteps = 0;
  #checkpoint: { readonly step: number; readonly path: string; readonly time: string | null } | undefined;
  #isFinished = false;
  readonly #events: Told[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#throughput = new Throughput(options.now());
  }

  record(event: TrainingEvent): void {
    switch (event.type) {
      case "step":
        this.#step = event;
        this.#throughput.step(this.#options.now(), event.samples);
        return;
      case "rejected":
        // Harmless, and a few of them would push out all else.
        return;
      case "resumed":
        this.#totalSteps = event.totalSteps;
        this.#checkpoint = { step: event.step, path: event.path, time: null };
        this.#bestEpoch = event.bestEpoch ?? undefined;
        break;
      case "started":
        this.#totalSteps = event.totalSteps;
        this.#throughput = new Throughput(this.#options.now());
        break;
      case "epoch":
        this.#epoch = this.#evaluation = event;
        if (event.isBest) this.#bestEpoch = event.epoch;
        this.#throughput.skip(this.#options.now());
        break;
      case "end-evaluated":
        this.#evaluation = event;
        this.#throughput.skip(this.#options.now());
        break;
      case "checkpoint":
        this.#checkpoint = { step: event.step, path: event.path, time: this.#timeText() };
        break;
      case "finished":
        this.#isFinished = true;
        break;
      default:
    }
    const time = this.#timeText();
    for (const { text } of this.#narrative.tell(event)) this.#events.push({ time, text });
    this.#events.splice(0, this.#events.length - EVENTS);
  }

  /** A value for JSON; null is what is not known yet. */
  read(): Record<string, unknown> {
    const samplesPerSecond = this.#throughput.samplesPerSecond(this.#options.now());
    return {
      loss: this.#step?.loss ?? null,
      learningRate: this.#step?.learningRate ?? null,
      epoch: this.#step?.epoch ?? null,
      trainLoss: this.#epoch?.trainLoss ?? null,
      trainAccuracy: this.#epoch?.trainAccuracy ?? null,
      testAccuracy: this.#evaluation?.testAccuracy ?? null,
      validationAccuracy: this.#evaluation?.validationAccuracy ?? null,
      bestEpoch: this.#bestEpoch ?? null,
      samplesPerSecond,
      etaSeconds: this.#etaSeconds(samplesPerSecond),
      checkpoint: this.#checkpoint ?? null,
      events: this.#events,
    };
  }

  /** Until the last step, evaluations not counted; null where there is no telling. */
  #etaSeconds(samplesPerSecond: number): number | null {
    if (this.#isFinished) return 0;
    if (this.#step === undefined || samplesPerSecond <= 0) return null;
    const { step, samplesCounted, stepInEpoch } = this.#step;
    // The last batch of an epoch may be a smaller one.
    const meanSamples = samplesCounted / stepInEpoch;
    return ((this.#totalSteps - step) * meanSamples) / samplesPerSecond;
  }

  #timeText(): string {
    return new Date(this.#options.time()).toISOString();
  }
}
