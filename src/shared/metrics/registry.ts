/** Metrics in the Prometheus text format. The only file that imports prom-client. */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BucketCounts } from "./bucket-counts.ts";

export type Labels = Readonly<Record<string, string>>;

/** Is called with each series' labels and value. */
export type SetSeries = (labels: Labels, value: number) => void;

/**
 * The metrics of one run or worker, and those of the process. What is counted lies elsewhere, in plain numbers: it is
 * looked at when somebody asks.
 */
export class MetricRegistry {
  readonly #registry = new Registry();
  #hasProcess = false;

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Gives every series these labels, those of the process included; they replace the labels given before. */
  label(labels: Labels): void {
    this.#registry.setDefaultLabels(labels);
  }

  /** @param value undefined: not known yet, and then not claimed */
  gauge(name: string, help: string, value: () => number | undefined): void {
    this.gauges(name, help, [], (set) => {
      const current = value();
      if (current !== undefined) set({}, current);
    });
  }

  /** @param value never falls */
  counter(name: string, help: string, value: () => number): void {
    this.counters(name, help, [], (set) => set({}, value()));
  }

  /** A gauge with labels. @param collect names all series that there are now */
  gauges(name: string, help: string, labelNames: readonly string[], collect: (set: SetSeries) => void): void {
    new Gauge({
      ...{ name, help, labelNames, registers: [this.#registry] },
      collect() {
        // Without labels this would set the value to 0, which may be a lie.
        if (labelNames.length === 0) this.remove();
        else this.reset();
        collect((labels, value) => this.set(labels, value));
      },
    });
  }

  /** A counter with labels. @param collect names all series that there are now */
  counters(name: string, help: string, labelNames: readonly string[], collect: (set: SetSeries) => void): void {
    new Counter({
      ...{ name, help, labelNames, registers: [this.#registry] },
      collect() {
        this.reset();
        collect((labels, value) => this.inc(labels, value));
      },
    });
  }

  /** @param series each with its labels; their number stays as it is */
  histogram(name: string, help: string, series: readonly (readonly [Labels, BucketCounts])[]): void {
    new CountedHistogram(this.#registry, name, help, series);
  }

  /** A gauge that is always 1 and tells by its labels. @param labels looked at each time; undefined: nothing is told */
  info(name: string, help: string, labelNames: readonly string[], labels: () => Labels | undefined): void {
    this.gauges(name, help, labelNames, (set) => {
      const current = labels();
      if (current !== undefined) set(current, 1);
    });
  }

  /** All metrics and those of the process, in the Prometheus text format. */
  async text(): Promise<string> {
    if (!this.#hasProcess) {
      this.#hasProcess = true;
      for (const metric of processMetrics().getMetricsAsArray()) this.#registry.registerMetric(metric as never);
    }
    return this.#registry.metrics();
  }
}

interface Value {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A histogram whose numbers are counted by `BucketCounts`: prom-client's own look up their labels in each observation. */
class CountedHistogram extends Histogram {
  readonly #about: { readonly name: string; readonly help: string };
  readonly #series: readonly (readonly [Labels, BucketCounts])[];

  constructor(registry: Registry, name: string, help: string, series: readonly (readonly [Labels, BucketCounts])[]) {
    super({ name, help, registers: [registry] });
    this.#about = { name, help };
    this.#series = series;
  }

  /** What the registry calls to write the text; the package's types do not know of it. */
  getForPromString(): Promise<{ name: string; help: string; type: "histogram"; values: Value[] }> {
    const { name } = this.#about;
    const values = this.#series.flatMap(([labels, counts]): Value[] => {
      const { bounds, count, sum } = counts;
      return [
        ...counts.cumulative().map((value, bucket) => {
          return { metricName: `${name}_bucket`, labels: { le: bounds[bucket]!, ...labels }, value };
        }),
        { metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: count },
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return Promise.resolve({ ...this.#about, type: "histogram", values });
  }
}

let ofProcess: Registry | undefined;

/** Once a process: the observers behind prom-client's default metrics can never be stopped. */
function processMetrics(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}
