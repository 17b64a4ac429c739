import type { TrainingConfig } from "../shared/config.ts";
import { MessageCounts } from "../shared/metrics/message-counts.ts";
import { encode } from "../shared/protocol/codec.ts";
import type { CoordinatorMessage } from "../shared/protocol/messages.ts";
import { samplesPerStep } from "../shared/samples-per-step.ts";
import type { CoordinatorTransport, PeerId } from "../shared/transport/transport.ts";
import type { Effect } from "./machine/types.ts";
import type { ModelState } from "./model-state.ts";
import type { RunPlan } from "./plan.ts";

type EffectOf<Type extends Effect["type"]> = Extract<Effect, { type: Type }>;

interface Surroundings {
  readonly config: TrainingConfig;
  readonly runDir: string;
  readonly transport: CoordinatorTransport;
}

/** Turns what the machine wants sent into messages: it adds the samples, the weights and the settings. */
export class Outbox {
  readonly #surroundings: Surroundings;
  readonly #plan: RunPlan;
  readonly #model: ModelState;
  /** What was sent so far. */
  readonly sent = MessageCounts.ofCoordinator();

  constructor(surroundings: Surroundings, plan: RunPlan, model: ModelState) {
    this.#surroundings = surroundings;
    this.#plan = plan;
    this.#model = model;
  }

  welcome({ peer, session, name }: EffectOf<"welcome">): void {
    const { config, runDir } = this.#surroundings;
    const { seed, augment, labelSmoothing, shardSize } = config;
    const { trainSamples, validationSamples } = this.#plan;
    const largestShard = Math.min(shardSize, samplesPerStep(config), trainSamples);
    this.send(peer, {
      ...{ type: "welcome", session, name, runId: runDir, seed, augment, labelSmoothing, shardSize: largestShard },
      ...{ trainSamples: trainSamples + validationSamples, validationSamples },
    });
  }

  parameters({ peer, session, version, slice, averaged }: EffectOf<"send-parameters">): void {
    const values = averaged ? this.#model.averageSnapshot(slice) : this.#model.snapshot(version, slice);
    this.send(peer, { type: "parameters", session, version, slice, averaged }, values);
  }

  assign({ peer, session, step, shards, slices }: EffectOf<"assign">): void {
    const parts = shards.map((index) => this.#plan.shard(step, index));
    const samples = new Uint32Array(parts.reduce((sum, part) => sum + part.samples.length, 0));
    let start = 0;
    for (const part of parts) {
      samples.set(part.samples, start);
      start += part.samples.length;
    }
    const header: CoordinatorMessage = {
      type: "assign",
      session,
      step,
      epoch: this.#plan.epochOf(step),
      shardCount: this.#plan.shardCountOf(step),
      globalCount: this.#plan.batchSizeOf(step),
      shards: parts.map((part) => ({ index: part.index, count: part.samples.length })),
      slices: [...slices],
    };
    this.send(peer, header, samples, ...slices.map((slice) => this.#model.snapshot(step, slice)));
  }

  evaluate({ peer, session, version, chunks }: EffectOf<"evaluate">): void {
    for (const chunk of chunks) {
      this.send(peer, { type: "evaluate", session, version, chunk, ...this.#plan.chunk(chunk) });
    }
  }

  send(peer: PeerId, message: CoordinatorMessage, ...payload: readonly (Float32Array | Uint32Array)[]): void {
    const frames = encode(message, ...payload);
    this.sent.add(message.type, frames);
    this.#surroundings.transport.send(peer, frames);
  }
}
