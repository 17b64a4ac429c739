import { messageOf } from "../shared/errors.ts";
import { initialState, transition } from "./machine/machine.ts";
import { effectText, eventText } from "./machine/transcript.ts";
import type { Effect, Event, State } from "./machine/types.ts";
import { fingerprint, type RecordedEvent, type RecordingHead } from "./recording-format.ts";

/** Where the machine decides otherwise than it did in the recording. */
export interface Difference {
  /** From 1: the head of the file is not counted. */
  readonly event: number;
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** What became of one event. */
export interface Replayed {
  /** The event, and under it what the machine asks for, for people. */
  readonly lines: readonly string[];
  readonly difference: Difference | undefined;
}

/** Feeds a recording's events through the machine, and compares what it asks for with what it asked for then. Pure. */
export class Replay {
  #state: State;
  #startAt: number | undefined;
  #events = 0;
  #steps = 0;
  #outcome: string | undefined;

  constructor({ plan, incarnation }: RecordingHead) {
    this.#state = initialState(plan, incarnation);
  }

  get events(): number {
    return this.#events;
  }

  /** Steps committed. */
  get steps(): number {
    return this.#steps;
  }

  /** How the run ended; undefined while it has not. */
  get outcome(): string | undefined {
    return this.#outcome;
  }

  take({ event, effects: recorded }: RecordedEvent): Replayed {
    this.#events += 1;
    this.#startAt ??= event.at;
    const at = `+${(event.at - this.#startAt).toFixed(1)} ms`;
    const { what, effects, failure } = this.#decide(event);
    const expected = describe(recorded);
    const found = describe(effects && fingerprint(effects));
    const asked = effects?.map(effectText) ?? [`failed: ${failure}`];
    return {
      lines: [`#${this.#events} ${at}  ${what}`, ...asked.map((line) => `  ${line}`)],
      difference:
        expected === found ? undefined : { event: this.#events, what, expected, found: [found, ...asked].join("\n  ") },
    };
  }

  /** An event that somebody has changed by hand may be one that the machine cannot take. */
  #decide(event: Event): { what: string; effects: readonly Effect[] | undefined; failure: string } {
    let what: string = event.type;
    try {
      what = eventText(event);
      const [state, effects] = transition(this.#state, event);
      this.#state = state;
      for (const effect of effects) this.#note(effect);
      return { what, effects, failure: "" };
    } catch (thrown) {
      return { what, effects: undefined, failure: messageOf(thrown) };
    }
  }

  #note(effect: Effect): void {
    if (effect.type === "commit-step") this.#steps += 1;
    if (effect.type === "finish") this.#outcome = effectText(effect).replace(/^finish: /, "");
  }
}

function describe(effects: string | undefined): string {
  return effects === undefined ? "a failure of the machine" : `effects with the fingerprint ${effects}`;
}
