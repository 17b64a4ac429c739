import { z } from "zod";

/**
 * Every message between coordinator and workers. A message is a *header*, validated here, followed by the payload
 * frames that docs/PROTOCOL.md lists for its type; see `codec.ts` for the bytes.
 *
 * Two numbers recur. `step` t (from 0) is computed on the parameters' version t, that is after t steps. `session` names
 * one membership of one worker under one incarnation of the coordinator; a message of any other session is refused,
 * which makes late and duplicate messages harmless.
 */

/** Raised when a peer of the old version could misread a message of the new one. */
export const PROTOCOL_VERSION = 4;

/** Bounds on what a peer can claim, far above what a run needs. */
export const LIMITS = {
  headerBytes: 65_536,
  /** Maps and lists within each other. A header, its list of nodes and a node are three. */
  depth: 4,
  keyBytes: 24,
  /** In a header: the most that a result, and an assignment, of as many nodes or shards as there may be, can have. */
  workerValues: 256,
  coordinatorValues: 8_192,
  frames: 64,
  /** In a result: one payload frame each, beside the header. */
  nodes: 63,
  shardsPerBatch: 2_048,
  samplesPerBatch: 65_536,
  steps: 2 ** 40,
  /** More than an hour. */
  micros: 2 ** 32 - 1,
  text: 2_000,
  /** Any characters of this number fit into a header. */
  stack: 10_000,
  /** Workers that take part at one time. */
  members: 256,
} as const;

const STACK_LINES = 20;

const count = (max: number) => z.int().min(0).max(max);
/** For people to read: what could rewrite a terminal, or the order in which a line is read, becomes spaces. */
const text = z.string().max(LIMITS.text).overwrite(printable);
/** Only ever compared: characters that can be seen, without a space. */
const id = z.string().regex(/^[!-~]{1,100}$/);
const session = id;
const step = count(LIMITS.steps);
/** Pings of a session are numbered from 1. */
const pingId = count(2 ** 40);
const micros = count(LIMITS.micros);
const slice = z.enum(["dense", "conv"]);
const shardCount = z.int().min(1).max(LIMITS.shardsPerBatch);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const hello = z.strictObject({
  type: z.literal("hello"),
  protocol: z.int(),
  /** One process's life: a worker that comes back under the same name replaces its earlier self. */
  incarnation: id,
  host: text,
  pid: z.int().min(0),
  engine: text,
  device: text,
  /** The library that computes and its version, and the version of the device's driver: where there is one. */
  runtime: text.exactOptional(),
  driver: text.exactOptional(),
  /** SHA-256 of the data set's files. */
  dataDigest: sha256,
  /** SHA-256 of the parameter table. */
  modelDigest: sha256,
});

const ready = z.strictObject({ type: z.literal("ready"), session });

/** Partial sums of one slice for the shards that the worker owns. Payload: one float32 frame per node. */
const result = z.strictObject({
  type: z.literal("result"),
  session,
  step,
  slice,
  /** How the worker spent its time on the assignment so far, in microseconds. */
  spent: z.strictObject({
    /** Idle, from the end of its last task until it had all that this one needs. */
    wait: micros,
    /** Making the engine's inputs. */
    gather: micros,
    /** In the engine, and adding up shards. */
    compute: micros,
    /** From having all that the task needs to sending this. */
    held: micros,
  }),
  nodes: z
    .array(z.strictObject({ level: count(16), index: count(LIMITS.shardsPerBatch) }))
    .min(1)
    .max(LIMITS.nodes),
});

const evaluated = z.strictObject({
  type: z.literal("evaluated"),
  session,
  /** The parameters' version. */
  version: step,
  chunk: count(LIMITS.samplesPerBatch),
  correct: count(LIMITS.samplesPerBatch),
});

const pong = z.strictObject({
  type: z.literal("pong"),
  session,
  /** The ping's. */
  id: pingId,
  /** Shards and chunks computed in this session: alive is one thing, getting on another. */
  computed: count(Number.MAX_SAFE_INTEGER),
  /** Whether it has said "ready". */
  ready: z.boolean(),
  /** Whether it has answered all work that it got, up to the ping's step: should it still owe some, a message was lost. */
  idle: z.boolean(),
});

const leaving = z.strictObject({
  type: z.literal("leaving"),
  session,
  reason: text,
  /** Whether it finishes what it owes, until it is told to stop; it has dropped that otherwise. */
  finishing: z.boolean(),
});

const failed = z.strictObject({
  type: z.literal("failed"),
  session,
  message: text,
  stack: z.string().max(LIMITS.stack).overwrite(printableLines),
});

const welcome = z.strictObject({
  type: z.literal("welcome"),
  session,
  /** For people: "worker-1". */
  name: text,
  runId: text,
  seed: z.int().min(0),
  augment: z.boolean(),
  /** Share of each label that is spread evenly over all classes. */
  labelSmoothing: z.number().min(0).lt(1),
  /** Training images that the run may use, and how many of these it holds out for validation, chosen by the seed. */
  trainSamples: z
    .int()
    .min(1)
    .max(2 ** 31),
  validationSamples: count(2 ** 31),
  /** Most samples that one shard will have. */
  shardSize: z.int().min(1).max(LIMITS.samplesPerBatch),
});

export const REJECTIONS = [
  "protocol-version",
  "data",
  "model",
  "unknown-session",
  "quarantined",
  "stopping",
  "interrupted",
] as const;

const rejected = z.strictObject({ type: z.literal("rejected"), code: z.enum(REJECTIONS), message: text });

/**
 * One slice of a version of the state vector: as training goes on from it, or averaged over the steps so far, for
 * evaluation. Payload: one float32 frame.
 */
const parameters = z.strictObject({
  type: z.literal("parameters"),
  session,
  version: step,
  slice,
  averaged: z.boolean(),
});

/**
 * Shards to compute for a step, as soon as the worker has the parameters of that version. Some slices come along, others
 * may follow. Payload: one uint32 frame with the sample indices of all these shards, in order; then one float32 frame for
 * each of `slices`.
 */
const assign = z.strictObject({
  type: z.literal("assign"),
  session,
  step,
  /** Slices of the step's version of the state vector that come with this. */
  slices: z.array(slice).max(2),
  /** From 0; keys the augmentation. */
  epoch: step,
  shardCount,
  /** Samples in the global batch. */
  globalCount: z.int().min(1).max(LIMITS.samplesPerBatch),
  shards: z
    .array(z.strictObject({ index: count(LIMITS.shardsPerBatch), count: z.int().min(1).max(LIMITS.samplesPerBatch) }))
    .min(1)
    .max(LIMITS.shardsPerBatch),
});

/** A chunk of the test set, or of the training images held out for validation, to evaluate with the averaged parameters. */
const evaluate = z.strictObject({
  type: z.literal("evaluate"),
  session,
  version: step,
  chunk: count(LIMITS.samplesPerBatch),
  images: z.enum(["test", "validation"]),
  first: count(2 ** 31),
  count: z.int().min(1).max(LIMITS.samplesPerBatch),
});

/** `step` is the one under way: all that it needs was sent before. */
const ping = z.strictObject({ type: z.literal("ping"), session, step, id: pingId });

const stop = z.strictObject({ type: z.literal("stop"), session, reason: text });

export const workerHeader = z.discriminatedUnion("type", [hello, ready, result, evaluated, pong, leaving, failed]);
// prettier-ignore
export const coordinatorHeader = z.discriminatedUnion("type", [welcome, rejected, parameters, assign, evaluate, ping, stop]);

/** What a worker says. */
export type WorkerMessage = z.infer<typeof workerHeader>;
/** What the coordinator says. */
export type CoordinatorMessage = z.infer<typeof coordinatorHeader>;
export type Hello = z.infer<typeof hello>;
export type Welcome = z.infer<typeof welcome>;
export type Parameters = z.infer<typeof parameters>;
export type Ping = z.infer<typeof ping>;
export type Assign = z.infer<typeof assign>;
export type Spent = z.infer<typeof result>["spent"];
export type Evaluate = z.infer<typeof evaluate>;
export type RejectionCode = (typeof REJECTIONS)[number];

/** Control and format characters, line separators, halves of characters; most texts have none. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function printable(value: string): string {
  return value.replaceAll(UNSEEN, " ");
}

/** The first lines of a stack, each printable. */
function printableLines(value: string): string {
  return value.split("\n", STACK_LINES).map(printable).join("\n");
}
