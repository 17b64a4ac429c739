import type { TrainingEvent } from "../../shared/events.ts";
import { COORDINATOR_EVENTS, type CoordinatorEventName } from "../../shared/log/vocabulary.ts";
import { Narrative, type Telling } from "../log/narrative.ts";
import type { LiveEvent, Tone } from "./page/protocol.ts";

/** Lines that are kept. */
const MAX_LINES = 50;
/** Of a line: a stack trace need not travel four times a second. */
const MAX_CHARACTERS = 400;

/** Of which the page has something better to show, or which another line says as well. */
const UNTOLD: ReadonlySet<CoordinatorEventName> = new Set(["monitoring", "step", "shards-reassigned"]);

/** What may come many times in a row, with another number each time: one line tells them all. */
const REPEATED: ReadonlySet<CoordinatorEventName> = new Set(["waiting", "worker-late", "rejected"]);

/** The last things that happened in a run, as sentences. */
export class EventLines {
  readonly #narrative = new Narrative({ workersByHand: false });
  readonly #lines: (LiveEvent & { readonly same: string })[] = [];
  #ids = 0;
  #revision = 0;

  /** Changes whenever a line does. */
  get revision(): number {
    return this.#revision;
  }

  /** @param at unix time in ms */
  record(event: TrainingEvent, at: number): void {
    // Too many to be put into words for nothing.
    if (event.type === "step") return;
    // Where workers are started by the run itself nobody else needs the address.
    if (event.type === "listening" && !event.address.startsWith("tcp:")) return;
    for (const telling of this.#narrative.tell(event)) {
      if (!UNTOLD.has(telling.event)) this.add(toneOf(telling.event), telling.text, at, sameOf(telling, event));
    }
  }

  /**
   * @param at unix time in ms
   * @param same a line takes the place of the one before if they have this in common
   */
  add(tone: Tone, words: string, at: number, same = words): void {
    this.#revision += 1;
    const sentence = words.slice(0, 1).toUpperCase() + words.slice(1);
    const text = sentence.length > MAX_CHARACTERS ? `${sentence.slice(0, MAX_CHARACTERS - 1)}…` : sentence;
    const last = this.#lines.at(-1);
    if (last?.same === same) {
      this.#lines[this.#lines.length - 1] = { ...last, at, tone, text, times: last.times + 1 };
      return;
    }
    this.#ids += 1;
    this.#lines.push({ id: this.#ids, at, tone, text, times: 1, same });
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }

  /** Oldest first. */
  lines(): LiveEvent[] {
    return this.#lines.map(({ id, at, tone, text, times }) => ({ id, at, tone, text, times }));
  }
}

function toneOf(name: CoordinatorEventName): Tone {
  if (name === "epoch" || name === "end-evaluated" || name === "run-finished") return "good";
  if (name === "worker-lost") return "bad";
  const level = COORDINATOR_EVENTS[name];
  return level === "warn" ? "warning" : level === "error" ? "bad" : "info";
}

function sameOf({ event: name, text }: Telling, event: TrainingEvent): string {
  if (!REPEATED.has(name)) return `${name} ${text}`;
  return `${name} ${"worker" in event ? event.worker : "reason" in event ? event.reason : ""}`;
}
