import fc from "fast-check";
import { initialState as initialWorker, transition as workerTransition } from "../../src/worker/machine/machine.ts";
import type { Event as WorkerEvent, State as WorkerState, Task } from "../../src/worker/machine/types.ts";
import { initialState, transition } from "../../src/coordinator/machine/machine.ts";
import type { Event } from "../../src/coordinator/machine/types.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { decodeFromCoordinator, decodeFromWorker, type Frames } from "../../src/shared/protocol/codec.ts";
import {
  type CoordinatorMessage,
  coordinatorHeader,
  LIMITS,
  type WorkerMessage,
  workerHeader,
} from "../../src/shared/protocol/messages.ts";
import { helloOf, PLAN } from "../support/coordinator-script.ts";
import { RunInvariants } from "../support/run-invariants.ts";
import { arbitraryFor } from "../support/schema-arbitrary.ts";
import type { FuzzProperty } from "./fuzz-property.ts";
import { fuzzedFrames } from "./message-cases.ts";

/** What must hold for whatever a peer sends. */

/** How the cases of a property went: of one that refuses all, or takes all, nothing is learnt. */
export const tally = { taken: 0, refused: 0 };

export const MESSAGE_PROPERTIES: readonly FuzzProperty[] = [
  decoding("what workers send is decoded or refused", workerHeader, decodeFromWorker),
  decoding("what coordinators send is decoded or refused", coordinatorHeader, decodeFromCoordinator),
  { name: "the coordinator's machine stands whatever valid messages come", share: 0.05, check: checkCoordinator },
  { name: "the worker's machine stands whatever valid messages come", share: 0.05, check: checkWorker },
];

function decoding(
  name: string,
  schema: typeof workerHeader | typeof coordinatorHeader,
  decode: (frames: Frames) => { readonly header: object; readonly payload: Frames },
): FuzzProperty {
  const holds = (frames: Frames): void => {
    let header: object;
    try {
      ({ header } = decode(frames));
    } catch (thrown) {
      if (!(thrown instanceof LockstepError) || thrown.code !== "protocol") throw thrown;
      if (thrown.message.length > 500) throw new Error("a refusal that is a flood itself", { cause: thrown });
      tally.refused += 1;
      expectNothingPolluted();
      return;
    }
    tally.taken += 1;
    expectNothingPolluted();
    const again = schema.safeParse(header);
    if (!again.success) throw new Error(`outside of the schema: ${again.error.message}`);
    if (Object.getPrototypeOf(header) !== Object.prototype) throw new Error("a header with another prototype");
  };
  return {
    name,
    share: 0.42,
    check: (numRuns, seed) => fc.assert(fc.property(fuzzedFrames(schema), holds), { numRuns, seed }),
  };
}

function expectNothingPolluted(): void {
  for (const prototype of [Object.prototype, Array.prototype, Map.prototype] as object[]) {
    for (const key in prototype) throw new Error(`a prototype has got the key ${key}`);
  }
  if ("polluted" in {}) throw new Error("every object is polluted");
}

/** Happenings in a scene; a case of these properties is a whole scene. */
const SCENE = 40;

const PEERS = ["A", "B", "C", "D"] as const;

const coordinatorHappening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("message" as const),
      peer: fc.constantFrom(...PEERS),
      message: arbitraryFor(workerHeader),
      finite: fc.boolean(),
      /** With what holds now in place of what the message says. */
      isCurrent: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("tick" as const), afterMs: fc.nat(40_000) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("malformed" as const), peer: fc.constantFrom(...PEERS) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("peer-lost" as const), peer: fc.constantFrom(...PEERS) }) },
);

type CoordinatorHappening = typeof coordinatorHappening extends fc.Arbitrary<infer Each> ? Each : never;

function checkCoordinator(numRuns: number, seed: number): void {
  const scenes = fc.array(coordinatorHappening, { maxLength: SCENE });
  const holds = (happenings: readonly CoordinatorHappening[]): void => {
    let [state, at] = [initialState(PLAN, "c"), 0];
    const invariants = new RunInvariants(PLAN);
    const play = (event: Event): void => {
      const [next, effects] = transition(state, event);
      state = next;
      invariants.check(event, effects);
      if (state.members.size > PEERS.length) throw new Error(`${state.members.size} members of ${PEERS.length} peers`);
    };
    play({ type: "start", at });
    for (const peer of PEERS.slice(0, 2)) {
      play({ type: "message", at, peer, message: helloOf(peer), finite: true });
      const { session } = state.members.get(peer)!;
      play({ type: "message", at, peer, message: { type: "ready", session }, finite: true });
    }
    for (const happening of happenings) {
      if (happening.type === "tick") {
        at += happening.afterMs;
        play({ type: "tick", at, stoppedMs: 0 });
      } else if (happening.type === "message") {
        const { peer, message, finite, isCurrent } = happening;
        const current = isCurrent ? currentWorkerMessage(message, state, peer) : message;
        play({ type: "message", at, peer, message: current, finite });
      } else if (happening.type === "malformed") {
        play({ type: "malformed", at, peer: happening.peer, problem: "noise" });
      } else {
        play({ type: "peer-lost", at, peer: happening.peer, reason: "cut" });
      }
    }
  };
  fc.assert(fc.property(scenes, holds), { numRuns, seed });
}

/** Makes a message one of the session and the step under way: the others are refused before much is done with them. */
function currentWorkerMessage(
  message: WorkerMessage,
  { members, phase }: ReturnType<typeof initialState>,
  peer: string,
) {
  if (message.type === "hello") return { ...message, ...termsOf(helloOf(message.incarnation)) };
  const session = members.get(peer)?.session ?? message.session;
  if (message.type === "result" && phase.type === "training") {
    const nodes = message.nodes.map(({ level, index }) => ({ level: level % 4, index: index % 5 }));
    return { ...message, session, step: phase.step, nodes };
  }
  if (message.type === "evaluated" && phase.type === "evaluating") {
    return { ...message, session, version: phase.version, chunk: message.chunk % 4 };
  }
  return { ...message, session };
}

function termsOf({ protocol, dataDigest, modelDigest }: Extract<WorkerMessage, { type: "hello" }>) {
  return { protocol, dataDigest, modelDigest };
}

const workerHappening = fc.oneof(
  { weight: 8, arbitrary: fc.record({ message: arbitraryFor(coordinatorHeader), isCurrent: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ afterMs: fc.nat(4_000) }) },
  { weight: 2, arbitrary: fc.record({ event: fc.constantFrom("prepared", "computed", "malformed", "done") }) },
);
type WorkerHappening = typeof workerHappening extends fc.Arbitrary<infer Each> ? Each : never;

function checkWorker(numRuns: number, seed: number): void {
  fc.assert(fc.property(fc.array(workerHappening, { maxLength: SCENE }), playWorker), { numRuns, seed });
}

function playWorker(happenings: readonly WorkerHappening[]): void {
  let [state, at]: [WorkerState, number] = [initialWorker("here", 60_000, 0), 0];
  const running = new Set<Task>();
  const play = (event: WorkerEvent): void => {
    const [next, effects] = workerTransition(state, event);
    state = next;
    for (const effect of effects) {
      if (effect.type === "run") running.add(effect.task);
      // What it says must be something that a coordinator takes.
      if (effect.type === "send") workerHeader.parse(effect.message);
    }
    if (effects.length > 20 + LIMITS.nodes) throw new Error(`${effects.length} effects of one event`);
  };
  play({ type: "start", at });
  for (const happening of happenings) {
    if ("afterMs" in happening) {
      at += happening.afterMs;
      play({ type: "tick", at, stoppedMs: 0 });
    } else if ("message" in happening) {
      const { message, isCurrent } = happening;
      play({ type: "message", at, message: isCurrent ? currentCoordinatorMessage(message, state) : message });
    } else if (happening.event === "done") {
      for (const task of running) play({ type: "task-done", at, task });
      running.clear();
    } else if (happening.event === "malformed") {
      play({ type: "malformed", at, problem: "noise" });
    } else if (happening.event === "prepared" || happening.event === "computed") {
      play({ type: happening.event, at });
    }
  }
}

function currentCoordinatorMessage(message: CoordinatorMessage, { welcome }: WorkerState): CoordinatorMessage {
  return message.type === "rejected" || welcome === undefined ? message : { ...message, session: welcome.session };
}
