/** What the options that cut a run into steps mean together. Pure. */

import { LIMITS } from "./protocol/messages.ts";
import { samplesPerStep } from "./samples-per-step.ts";

/** Those options, as far as a command has them. */
interface StepOptions {
  readonly batchSize?: number;
  readonly accumulate?: number;
  readonly shardSize?: number;
  readonly epochs?: number;
  readonly warmupEpochs?: number;
  readonly lr?: number;
  readonly weightDecay?: number;
}

/** How options of one source are written in sentences. */
type NameOf = (key: string) => string;

/** Why these options cannot be had together, as a sentence. */
export function stepConflict(options: StepOptions, name: NameOf): string | undefined {
  return sizeConflict(options, name) ?? warmupConflict(options, name) ?? decayConflict(options, name);
}

/** The largest step is the one that messages can describe, whatever its samples are a product of. */
function sizeConflict({ batchSize, accumulate = 1, shardSize }: StepOptions, name: NameOf): string | undefined {
  if (batchSize === undefined || shardSize === undefined) return undefined;
  const samples = samplesPerStep({ batchSize, accumulate });
  const step =
    `${name("batchSize")} ${batchSize}` + (accumulate === 1 ? "" : ` taken ${name("accumulate")} ${accumulate} times`);
  if (samples > LIMITS.samplesPerBatch) {
    return `${step} makes ${samples} samples a step; allowed: at most ${LIMITS.samplesPerBatch}`;
  }
  const shards = Math.ceil(samples / shardSize);
  if (shards <= LIMITS.shardsPerBatch) return undefined;
  return (
    `${step} in shards of ${name("shardSize")} ${shardSize} makes ${shards} shards a step; ` +
    `allowed: at most ${LIMITS.shardsPerBatch}`
  );
}

function warmupConflict({ warmupEpochs, epochs }: StepOptions, name: NameOf): string | undefined {
  if (warmupEpochs === undefined || epochs === undefined || warmupEpochs <= epochs) return undefined;
  return (
    `${name("warmupEpochs")} ${warmupEpochs} is more than the run's ${name("epochs")} ${epochs}, so that the learning ` +
    "rate would never reach its peak; allowed: at most as many"
  );
}

/** A weight that loses more than itself in a step changes its sign. */
function decayConflict({ lr, weightDecay }: StepOptions, name: NameOf): string | undefined {
  if (lr === undefined || weightDecay === undefined || lr * weightDecay <= 1) return undefined;
  return (
    `${name("weightDecay")} ${weightDecay} with ${name("lr")} ${lr} takes more than all of a weight in a step; ` +
    `allowed: at most ${1 / lr}`
  );
}
