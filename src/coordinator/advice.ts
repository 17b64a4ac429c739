import { isolationOf } from "../shared/config-gpus.ts";
import type { TrainConfig, TrainingConfig } from "../shared/config.ts";
import type { Efficiency, Limit } from "../shared/events.ts";
import { formatPlural } from "../shared/format.ts";
import { LIMITS } from "../shared/protocol/messages.ts";
import { samplesPerStep } from "../shared/samples-per-step.ts";

/** What there is to change about a run. */
export interface Setting {
  readonly batchSize: number;
  readonly accumulate: number;
  readonly shardSize: number;
  readonly augment: boolean;
  readonly minWorkers: number;
  readonly trainSamples: number;
  /** Where the run starts its workers itself; not so for a fleet, whose workers come and go as others please. */
  readonly local:
    | {
        readonly cores: number;
        readonly inProcesses: boolean;
        /** The run finds out by itself how many workers to use. */
        readonly automatic: boolean;
      }
    | undefined;
}

/** What a run's steps came to, besides the shares of the workers' time. */
export interface Measured {
  /** Workers that were ready, and how many of them would have done the work if they were never idle; on average. */
  readonly workers: number;
  readonly workDone: number;
  /** Shards in a step, on average. */
  readonly shards: number;
  /** A worker that takes `times` as long for a shard as the others do. */
  readonly straggler: { readonly name: string; readonly times: number } | undefined;
}

/** @param config with `isolation` where the run starts its workers itself */
export function settingOf(
  config: TrainingConfig & Partial<Pick<TrainConfig, "engine" | "gpus" | "isolation" | "workers">>,
  trainSamples: number,
  cores: number,
): Setting {
  const { batchSize, accumulate, shardSize, augment, minWorkers, isolation, workers } = config;
  // An engine that takes a process for each worker cannot have threads instead.
  const mayBeThreads = isolationOf({ ...config, isolation: "auto" }) === "thread";
  const local =
    isolation === undefined
      ? undefined
      : { cores, inProcesses: isolation === "process" && mayBeThreads, automatic: workers === "auto" };
  return { batchSize, accumulate, shardSize, augment, minWorkers, trainSamples, local };
}

/** An epoch of fewer steps learns little, whatever it takes. */
const LEAST_STEPS_AN_EPOCH = 100;
/** A batch many times as large is another training altogether. */
const MOST_TIMES_THE_BATCH = 8;
/** Of the workers' time, what a larger batch is to leave for work. */
const AIM = 0.8;

/** One sentence: what limits the run, by which measure, and what may help. */
export function summarise(limit: Limit, shares: Efficiency["shares"], measured: Measured, setting: Setting): string {
  const workers = formatWorkers(measured.workers);
  const verb = workers === "1 worker" ? "does" : "do";
  const advice = adviceOn(limit, shares, measured, setting);
  const attempt = advice.length > 0 ? `; try ${advice.join(" or ")}` : "";
  return `Limited by ${cause(limit, shares, measured)}: ${workers} ${verb} the work of ${measured.workDone.toFixed(1)}${attempt}`;
}

function cause(limit: Limit, shares: Efficiency["shares"], { shards, straggler }: Measured): string {
  switch (limit) {
    case "computing":
      return "computing";
    case "inputs":
      return `making inputs, ${Math.round((100 * shares.inputs) / (shares.inputs + shares.computing))} % of the work`;
    case "exchange":
      return "the exchange";
    case "coordinator":
      return "the coordinator";
    case "straggler":
      return straggler === undefined
        ? "a straggler"
        : `a straggler, ${straggler.name}, which takes ${straggler.times.toFixed(1)} times as long as the others for a shard`;
    case "shards":
      return `the number of shards, ${Math.round(shards)} a step`;
    case "imbalance":
      return "workers that wait for each other";
    default:
      return limit satisfies never;
  }
}

/** Options as one would write them, the most promising first. */
function adviceOn(limit: Limit, shares: Efficiency["shares"], measured: Measured, setting: Setting): string[] {
  switch (limit) {
    case "computing":
      return moreWorkers(measured, setting);
    case "inputs":
      return [...moreWorkers(measured, setting), ...(setting.augment ? ["--no-augment"] : [])];
    case "exchange":
      return [
        ...(setting.local?.inProcesses ? ["--isolation thread"] : []),
        ...largerBatch(shares, setting),
        ...fewerWorkers(measured, setting),
      ];
    case "coordinator":
    case "imbalance":
      return [...largerBatch(shares, setting), ...fewerWorkers(measured, setting)];
    case "shards":
      return [...evenBatch(measured, setting), ...fewerWorkers(measured, setting)];
    case "straggler":
      // No option makes a core faster, but where workers have to share cores, fewer do better.
      return fewerWorkers(measured, setting);
    default:
      return limit satisfies never;
  }
}

/** As many as there are cores and shards for, where that is more than there are. */
function moreWorkers({ workers, shards }: Measured, { local }: Setting): string[] {
  const useful = local === undefined || local.automatic ? 0 : Math.min(local.cores, Math.round(shards));
  return useful >= workers + 1 ? [`--workers ${useful}`] : [];
}

/**
 * As many as there was work for, where one or more could be spared: they would have to be busy all the time to do as
 * much, but have fewer to wait for.
 */
function fewerWorkers({ workers, workDone }: Measured, { local, minWorkers }: Setting): string[] {
  const enough = Math.max(minWorkers, Math.ceil(workDone));
  return local?.automatic === false && workers - enough >= 1 ? [`--workers ${enough}`] : [];
}

/**
 * The batch doubled until the work that grows with it is `AIM` of the time, if what does not grow stays as it is: a step
 * costs one exchange whatever its size.
 */
function largerBatch(shares: Efficiency["shares"], setting: Setting): string[] {
  const work = shares.computing + shares.inputs;
  const rest = shares.exchange + shares.coordinator + shares.imbalance;
  let times = 2;
  while (times < MOST_TIMES_THE_BATCH && (work * times) / (work * times + rest) < AIM) times *= 2;
  while (times > 1 && !isReasonable(setting.batchSize * times, setting)) times /= 2;
  return times > 1 ? [`--batch-size ${setting.batchSize * times}`] : [];
}

/** The next larger batch of which each worker gets as many shards as any other. */
function evenBatch({ workers }: Measured, setting: Setting): string[] {
  const { batchSize, accumulate, shardSize } = setting;
  const round = Math.round(workers) * shardSize;
  // Batches of this size make whole rounds when they are accumulated.
  const unit = round / greatestCommonDivisor(round, accumulate);
  const batch = Math.ceil(batchSize / unit) * unit;
  return batch > batchSize && isReasonable(batch, setting) ? [`--batch-size ${batch}`] : [];
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function isReasonable(batchSize: number, { accumulate, shardSize, trainSamples }: Setting): boolean {
  const samples = samplesPerStep({ batchSize, accumulate });
  return (
    samples <= LIMITS.samplesPerBatch &&
    Math.ceil(samples / shardSize) <= LIMITS.shardsPerBatch &&
    samples * LEAST_STEPS_AN_EPOCH <= trainSamples
  );
}

/** A mean over the run, whole where nobody came or went. */
function formatWorkers(mean: number): string {
  const whole = Math.round(mean);
  return Math.abs(mean - whole) < 0.05 ? formatPlural(whole, "worker") : `${mean.toFixed(1)} workers`;
}
