/** A training under chaos. */
export interface Variant {
  readonly name: string;
  /** Of `lockstep train` and `lockstep coordinator`, beside those that all variants have in common. */
  readonly options: readonly string[];
}

/** They take turns: each has another part of the state that must survive. */
export const VARIANTS: readonly Variant[] = [
  { name: "plain", options: [] },
  // What depends on the epoch and the step, and shards of different sizes.
  { name: "distorted", options: ["--augment", "--schedule", "one-cycle", "--lr", "0.004", "--shard-size", "24"] },
  { name: "clipped", options: ["--clip-norm", "1", "--ema", "0", "--shard-size", "16"] },
];
