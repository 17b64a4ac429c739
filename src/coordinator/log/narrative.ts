/** What a run's events say: their names in the log and their sentences for people, which are the same everywhere. */

import type { Evaluation, TrainingEvent, TrainingResult } from "../../shared/events.ts";
import { formatCount, formatPercent, formatPlural, formatSeconds } from "../../shared/format.ts";
import type { CoordinatorEventName } from "../../shared/log/vocabulary.ts";
import { finishedText, summaryOf } from "./result-text.ts";

export interface NarrativeOptions {
  /** Somebody has to start the workers, so say how; false where they are started by the command itself. */
  readonly workersByHand: boolean;
  /** Only workers with keys are let in. */
  readonly workersNeedKeys?: boolean;
  /** Workers that the command itself starts: that they join is no news. */
  readonly localWorkers?: number;
}

export interface Telling {
  readonly event: CoordinatorEventName;
  readonly text: string;
  /** Whether people who watch the run want to know it. */
  readonly isNews: boolean;
  /** What the whole run comes to: even those want to know it who want to know nothing else. */
  readonly isResult?: boolean;
  /** Whom it is about. */
  readonly worker?: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

type EventOf<Type extends TrainingEvent["type"]> = Extract<TrainingEvent, { type: Type }>;

/** What a worker that failed wrote to its stderr may hold anything; a line of it stays a line. */
const CONTROLS = /(?![\n\t])\p{Cc}/gu;

/** Puts events into words, one after the other: what was told before decides what the next one says. */
export class Narrative {
  readonly #options: NarrativeOptions;
  #address: string | undefined;
  #started: EventOf<"started"> | undefined;
  #resumed: EventOf<"resumed"> | undefined;
  #expectedWorkers: number;

  constructor(options: NarrativeOptions) {
    this.#options = options;
    this.#expectedWorkers = options.localWorkers ?? 0;
  }

  tell(event: TrainingEvent): readonly Telling[] {
    switch (event.type) {
      case "listening":
        this.#address = event.address;
        return [
          this.#news("listening", event, `Listening on ${event.address}${this.#howToJoin("workers")}`, {
            isNews: this.#options.workersByHand,
          }),
        ];
      case "monitoring":
        return [this.#news("monitoring", event, `Metrics for Prometheus at ${event.url}`)];
      case "resumed":
        this.#resumed = event;
        return [this.#news("run-resumed", event, resumedText(event))];
      case "started":
        this.#started = event;
        return [this.#news("run-started", event, this.#startedText(event))];
      case "worker-joined":
        return [
          this.#news("worker-joined", event, joinedText(event), { isNews: event.workers > this.#expectedWorkers }),
        ];
      case "worker-left":
        return this.#left(event);
      case "worker-late":
        return [{ ...this.#news("worker-late", event, lateText(event)), fields: fieldsOf(event, "lateStep") }];
      case "waiting":
        return [this.#news("waiting", event, `${waitingText(event)}${this.#howToJoin("one")}`)];
      case "workers-chosen":
        return [this.#chosen(event)];
      case "step":
        return [this.#step(event)];
      case "epoch":
        return [this.#news("epoch", event, this.#epochText(event))];
      case "end-evaluated":
        return [this.#news("end-evaluated", event, endText(event))];
      case "warning":
        return [this.#news("warning", event, `warning: ${event.message.replaceAll(CONTROLS, " ")}`)];
      case "rejected":
        return [this.#news("rejected", event, `rejected a result: ${event.reason}`, { isNews: false })];
      case "connection-refused":
        return [this.#news("connection-refused", event, refusedText(event))];
      case "checkpoint":
        return [aboutCheckpoint("checkpoint-saved", event, `Saved step ${formatCount(event.step)}: ${event.path}`)];
      case "checkpoint-failed":
        return [aboutCheckpoint("checkpoint-failed", event, event.message)];
      case "finished":
        return this.#finished(event.result);
      default:
        return event satisfies never;
    }
  }

  #news(event: CoordinatorEventName, told: TrainingEvent, text: string, { isNews = true } = {}): Telling {
    const about = "worker" in told ? { worker: told.worker } : {};
    return { event, text, isNews, ...about, fields: fieldsOf(told) };
  }

  #startedText({ trainSamples, epochs, stepsPerEpoch, workers }: EventOf<"started">): string {
    return (
      `Training on ${formatCount(trainSamples)} images: ${formatPlural(epochs, "epoch")} of ` +
      `${formatPlural(stepsPerEpoch, "step")}, ${formatPlural(Math.max(workers, this.#expectedWorkers), "worker")}`
    );
  }

  #left(event: EventOf<"worker-left">): Telling[] {
    this.#expectedWorkers = 0;
    const { worker, reason, lost, shardsReassigned: shards, workers } = event;
    const what =
      `worker ${worker}: ${reason.replace(/\.$/, "")}; ` +
      `${formatPlural(shards, "shard")} reassigned, ${formatPlural(workers, "worker")} left`;
    const fields = { reason, shardsReassigned: shards, workers };
    const left = lost
      ? ({ event: "worker-lost", text: `lost ${what}`, isNews: true, worker, fields } as const)
      : ({ event: "worker-left", text: `Released ${what}`, isNews: true, worker, fields } as const);
    if (shards === 0) return [left];
    const text = `${formatPlural(shards, "shard")} of worker ${worker} reassigned`;
    return [left, { event: "shards-reassigned", text, isNews: false, worker, fields: { shards } }];
  }

  #chosen(event: EventOf<"workers-chosen">): Telling {
    const { workers, tried } = event;
    const most = Math.max(...tried.map((each) => each.workers));
    // Those that stand by have joined as well.
    this.#expectedWorkers = Math.max(this.#expectedWorkers, most);
    const times = tried.map((each) => `${each.stepMs.toFixed(2)} ms with ${each.workers}`).join(", ");
    const rest = workers < most ? "; the others stand by" : "";
    return this.#news(
      "workers-chosen",
      event,
      `Using ${workers} of ${formatPlural(most, "worker")}: a step takes ${times}${rest}`,
    );
  }

  #step(event: EventOf<"step">): Telling {
    const { epochs, stepsPerEpoch } = this.#started ?? { epochs: event.epoch, stepsPerEpoch: event.stepInEpoch };
    return this.#news(
      "step",
      event,
      `Epoch [${event.epoch}/${epochs}], Step [${event.stepInEpoch}/${stepsPerEpoch}], Loss: ${event.loss.toFixed(4)}`,
    );
  }

  #epochText(event: EventOf<"epoch">): string {
    const { epoch, trainLoss, samplesPerSecond } = event;
    return (
      `Epoch [${epoch}/${this.#started?.epochs ?? epoch}] done: train loss ${trainLoss.toFixed(4)}, ` +
      `${accuracyText(event)}, ${formatCount(samplesPerSecond)} images/s`
    );
  }

  #finished(result: TrainingResult): Telling[] {
    const { testSamples } = this.#started ?? this.#resumed ?? { testSamples: 0 };
    const summary = result.steps > 0 ? summaryOf(result) : [];
    return [
      { event: "run-finished", ...finishedText(result, testSamples), fields: { result } },
      ...summary.map((text) => ({ event: "summary", text, isNews: true, fields: {} }) as const),
    ];
  }

  #howToJoin(what: "one" | "workers"): string {
    if (!this.#options.workersByHand || this.#address === undefined) return "";
    // Addresses that mean "every interface" are no use to a worker elsewhere.
    const reachable = this.#address.replace(/^tcp:\/\/(\*|0\.0\.0\.0|\[::\]):/, "tcp://HOST:");
    const keys = this.#options.workersNeedKeys === true ? " --key worker.key --coordinator-key coordinator.pub" : "";
    return `; start ${what} with: lockstep worker --connect ${reachable}${keys}`;
  }
}

function accuracyText({ validationAccuracy, testAccuracy }: Evaluation): string {
  const test = `test accuracy ${formatPercent(testAccuracy)}`;
  return validationAccuracy === null ? test : `validation accuracy ${formatPercent(validationAccuracy)}, ${test}`;
}

function endText(event: EventOf<"end-evaluated">): string {
  return `The time is up after ${formatPlural(event.step, "step")}: ${accuracyText(event)}`;
}

function resumedText({ runDir, step, totalSteps, epoch, epochs }: EventOf<"resumed">): string {
  return `Resuming ${runDir} from step ${formatCount(step)} of ${formatCount(totalSteps)} (epoch ${epoch} of ${epochs})`;
}

function joinedText({ worker, engine, device, host, pid, workers }: EventOf<"worker-joined">): string {
  return (
    `Worker ${worker} joined: ${engine} on ${device}, host ${host}, pid ${pid}; ` +
    `${formatPlural(workers, "worker")} ready`
  );
}

function lateText({ worker, shards, step, lateMs }: EventOf<"worker-late">): string {
  return (
    `Worker ${worker} is late with ${formatPlural(shards, "shard")} of step ` +
    `${formatCount(step)} (${formatSeconds(lateMs / 1000)}): others compute them as well`
  );
}

function waitingText({ workers, minWorkers, waitedMs }: EventOf<"waiting">): string {
  return `waiting for workers: ${workers} of ${minWorkers} ready after ${Math.round(waitedMs / 1000)} s`;
}

/** No news: people are told by warnings when saving begins to fail and when it works again. */
function aboutCheckpoint(
  event: CoordinatorEventName,
  told: EventOf<"checkpoint"> | EventOf<"checkpoint-failed">,
  text: string,
): Telling {
  return { event, text, isNews: false, fields: fieldsOf(told, "checkpointStep") };
}

/** Where they are: in the line itself, or in metrics.ndjson. */
const NO_FIELDS = new Set(["type", "worker", "step", "message", "phases"]);

/** @param stepName what the event's own step is called where it is not the last one that was done */
function fieldsOf(event: TrainingEvent, stepName?: string): Record<string, unknown> {
  const fields = Object.fromEntries(Object.entries(event).filter(([name]) => !NO_FIELDS.has(name)));
  return stepName !== undefined && "step" in event ? { [stepName]: event.step, ...fields } : fields;
}

function refusedText({ connections, reason }: EventOf<"connection-refused">): string {
  const others = connections > 1 ? `, and ${formatPlural(connections - 1, "other")} in 10 s` : "";
  return `warning: refused a connection: ${reason.replaceAll(CONTROLS, " ")}${others}`;
}
