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
 * A worker's waiting, gathering and computing follow each other and make up its time. The fourth phase, wire, is seen from
 * the coordinator and overlaps with waiting.
 */
export const WORKER_TIME = 'phase!="wire"';

/**
 * The share of workers' time in which they compute or make inputs; no value where there were no steps.
 *
 * @param sum how workers are put together, such as `sum by (worker)`
 */
export function shareAtWork(sum: string, labels: string): string {
  const time = (phases: string) => `${sum} (${rate("lockstep_worker_phase_seconds_total", `${labels}, ${phases}`)})`;
  return `${time('phase=~"compute|gather"')} / (${time(WORKER_TIME)} > 0)`;
}
