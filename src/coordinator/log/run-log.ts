import { basename, resolve } from "node:path";
import type { TrainingEvent } from "../../shared/events.ts";
import { failureOf } from "../../shared/log/failure.ts";
import type { Log } from "../../shared/log/log.ts";
import { COORDINATOR_EVENTS } from "../../shared/log/vocabulary.ts";
import { LEFT_OUT, LineBudget } from "./line-budget.ts";
import { Narrative, type NarrativeOptions, type Telling } from "./narrative.ts";
import { RejectedResults } from "./rejected-results.ts";

export interface RunLogOptions extends NarrativeOptions {
  readonly log: Log;
  /** The run's folder, where it is known before an event tells it. */
  readonly runDir?: string | undefined;
  /** Steps between two lines about steps; 0 for none. */
  readonly logEvery: number;
  /** Only warnings, failures and the result. */
  readonly quiet?: boolean;
  /** Milliseconds of any one clock that never runs backwards. */
  readonly now: () => number;
}

/** Workers whose lines may still come. */
const MAX_NAMES = 512;

/** Writes a run's events to a log, each line with the run, the worker that it is about and the steps done so far. */
export class RunLog {
  readonly #options: RunLogOptions;
  readonly #narrative: Narrative;
  readonly #rejected: RejectedResults;
  readonly #budget = new LineBudget();
  /** Names of workers by process id: a process that writes something does not know its name. */
  readonly #names = new Map<number, string>();
  #run: string | null;
  #step: number | null = null;

  constructor(options: RunLogOptions) {
    this.#options = options;
    this.#narrative = new Narrative(options);
    this.#rejected = new RejectedResults(options.now);
    this.#run = nameOf(options.runDir);
  }

  record(event: TrainingEvent): void {
    this.#follow(event);
    this.#tellRejected(this.#rejected.due());
    if (event.type === "rejected") {
      this.#rejected.add(event.reason);
      return;
    }
    const { logEvery } = this.#options;
    if (event.type === "step" && (logEvery === 0 || event.stepInEpoch % logEvery !== 0)) return;
    if (event.type === "finished") this.#tellRejected(this.#rejected.take());
    const verdict = this.#budget.take(event, this.#options.now());
    if (verdict === "untold") return;
    const told = verdict === "last" ? LEFT_OUT : event;
    for (const telling of inOrder(told, this.#narrative.tell(told))) this.#write(telling);
  }

  /** Of a run that ends with an error. */
  fail(thrown: unknown): void {
    this.#tellRejected(this.#rejected.take());
    const { msg: text, fields } = failureOf(thrown);
    this.#write({ event: "run-failed", text, isNews: true, fields });
  }

  /** @param path of the run's report */
  reported(path: string): void {
    this.#write({ event: "report-written", text: `Report ${path}`, isNews: true, fields: { path } });
  }

  /** What decides the context of this event and of those after it. */
  #follow(event: TrainingEvent): void {
    if (event.type === "worker-joined") this.#remember(event.pid, event.worker);
    if (event.type === "step" || event.type === "started" || event.type === "resumed") this.#step = event.step;
    if ("runDir" in event && typeof event.runDir === "string") this.#run = nameOf(event.runDir);
  }

  #remember(pid: number, worker: string): void {
    this.#names.delete(pid);
    this.#names.set(pid, worker);
    const [oldest] = this.#names.keys();
    if (this.#names.size > MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
  }

  #tellRejected(telling: Telling | undefined): void {
    if (telling !== undefined) this.#write(telling);
  }

  #write({ event, text, worker, fields }: Telling): void {
    const level = COORDINATOR_EVENTS[event];
    if (this.#options.quiet === true && level === "info" && event !== "run-finished") return;
    const { pid } = fields;
    const name = worker ?? (typeof pid === "number" ? this.#names.get(pid) : undefined) ?? null;
    this.#options.log.write({ level, run: this.#run, worker: name, step: this.#step, event, msg: text, fields });
  }
}

/** Whoever follows a log may stop at the line that says that the run is finished. */
function inOrder(event: TrainingEvent, tellings: readonly Telling[]): readonly Telling[] {
  return event.type === "finished" ? [...tellings.slice(1), ...tellings.slice(0, 1)] : tellings;
}

const nameOf = (runDir: string | undefined): string | null => (runDir === undefined ? null : basename(resolve(runDir)));
