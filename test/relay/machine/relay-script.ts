import { initialState, transition } from "../../../src/relay/machine/machine.ts";
import type { Effect, Event, State } from "../../../src/relay/machine/types.ts";
import { SLICE_NAMES, type SliceName } from "../../../src/shared/model/contribution.ts";
import type { CoordinatorMessage, Hello, WorkerMessage } from "../../../src/shared/protocol/messages.ts";
import { coveringNodes } from "../../support/covering-nodes.ts";
import { helloOf, TERMS } from "../../support/coordinator-script.ts";
import { NO_TIME } from "../../support/messages.ts";
import { welcomeOf } from "../../support/welcome.ts";

type Untimed = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

/** Plays scenes with the relay's machine: peers below have names like "A", whoever is above is in session "c/1". */
export class RelayScript {
  state: State = initialState(
    {
      ...{ address: "tcp://above", coordinatorTimeoutMs: 60_000, joinTimeoutMs: 600_000 },
      ...{ incarnation: "r", modelDigest: TERMS.modelDigest },
    },
    0,
  );
  now = 0;

  /** @returns what the relay asks for */
  play(event: Untimed): Effect[] {
    const [state, effects] = transition(this.state, { ...event, at: this.now } as Event);
    this.state = state;
    return effects;
  }

  /** Time passes, in ticks as the shell has them. @returns all that was asked for meanwhile */
  pass(ms: number): Effect[] {
    const effects: Effect[] = [];
    for (let passed = 0; passed < ms; passed += 25) {
      this.now += 25;
      effects.push(...this.play({ type: "tick", stoppedMs: 0 }));
    }
    return effects;
  }

  greets(peer: string, changes: Partial<Hello> = {}): Effect[] {
    return this.play({ type: "heard", peer, message: { ...helloOf(peer), ...changes }, finite: true });
  }

  told(message: CoordinatorMessage): Effect[] {
    return this.play({ type: "told", message });
  }

  welcome(session = "c/1"): Effect[] {
    return this.told(welcomeOf({ session, name: "worker-7", runId: "runs/a" }));
  }

  says(peer: string, message: WorkerMessage, finite = true): Effect[] {
    return this.play({ type: "heard", peer, message, finite });
  }

  readies(peer: string): Effect[] {
    return this.says(peer, { type: "ready", session: this.sessionOf(peer) });
  }

  /** They join and are ready; the relay is welcomed and is ready too. */
  ready(...peers: string[]): void {
    for (const peer of peers) this.greets(peer);
    this.welcome();
    for (const peer of peers) this.readies(peer);
  }

  sessionOf(peer: string): string {
    return this.state.members.get(peer)?.session ?? "";
  }

  /** Of a step of eight shards. */
  assign(step: number, shards: readonly number[], slices: readonly SliceName[] = SLICE_NAMES): Effect[] {
    return this.told({
      ...{ type: "assign", session: "c/1", step, epoch: 0, slices: [...slices], shardCount: 8, globalCount: 8 },
      shards: shards.map((index) => ({ index, count: 1 })),
    });
  }

  result(peer: string, step: number, slice: SliceName, shards: readonly number[], finite = true): Effect[] {
    const nodes = coveringNodes(shards, 8);
    const session = this.sessionOf(peer);
    return this.says(peer, { type: "result", session, step, slice, spent: NO_TIME, nodes }, finite);
  }

  /** Both slices. */
  results(peer: string, step: number, shards: readonly number[]): Effect[] {
    return SLICE_NAMES.flatMap((slice) => this.result(peer, step, slice, shards));
  }
}

/** Who is given which shards, as "A: 0 1". */
export function given(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === "send-assignment"
      ? [`${effect.peer}: ${effect.message.shards.map(({ index }) => index).join(" ")}`]
      : [],
  );
}

/** What is said to whoever is above. */
export function answered(effects: readonly Effect[]): WorkerMessage[] {
  return effects.flatMap((effect) => (effect.type === "answer" ? [effect.message] : []));
}

/** What is passed on, as "step 3 dense". */
export function forwarded(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => (effect.type === "forward" ? [`step ${effect.step} ${effect.slice}`] : []));
}

/** What one of those below is told, without payload. */
export function told(effects: readonly Effect[], peer: string): CoordinatorMessage[] {
  return effects.flatMap((effect) => (effect.type === "send" && effect.peer === peer ? [effect.message] : []));
}
