/** Pieces of PromQL that many panels have in common. */

/** Matches the run that is chosen on the dashboard. */
export const RUN = 'run="$run"';

/** Matches the workers that are chosen on the dashboard, within its run. */
export const WORKERS = `${RUN}, worker=~"$worker"`;

/** Matches the coordinator's own process: only workers have the label `worker`. */
export const COORDINATOR = `${RUN}, worker=""`;

/** A counter's increase per second, over as short a time as its scrape interval allows. */
export function rate(counter: string, labels: string = RUN): string {
  return `rate(${counter}{${labels}}[$__rate_interval])`;
}

/**
 * A quantile of a histogram's observations.
 *
 * @param by labels to tell apart, such as `phase`; none: all observations together
 */
export function quantile(q: number, histogram: string, by: readonly string[] = [], labels: string = RUN): string {
  const kept = ["le", ...by].join(", ");
  return `histogram_quantile(${q}, sum by (${kept}) (${rate(`${histogram}_bucket`, labels)}))`;
}

/**
 * Matches the phases that follow each other and make up a worker's time: waiting, gathering and computing. The fourth
 * phase, wire, is seen from the coordinator and overlaps with waiting.
 */
export const WORKER_TIME = 'phase!="wire"';

/** Leaves out what workers did that left long ago: a lifetime is added there at once, which no rate may count. */
export const NOT_GONE = 'worker!="gone"';
