import type { AccessToken } from "../shared/access-token.ts";
import { MonitoringServer } from "../shared/http.ts";
import { httpUrl } from "../shared/page-server.ts";
import type { Engine } from "./engines/engine.ts";
import { WorkerMetrics } from "./metrics.ts";
import type { Worker } from "./worker.ts";

interface Options {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly engine: Pick<Engine, "name" | "device" | "runtime">;
  /** Version of the driver of the GPU that the engine computes on. */
  readonly driver: string | undefined;
  /** Of lockstep itself. */
  readonly version: string;
  /** What readers have to show. */
  readonly token?: AccessToken | undefined;
}

/** A worker's own metrics, and the port where they are read. */
export class WorkerMonitoring {
  readonly metrics: WorkerMetrics;
  readonly #server: MonitoringServer;
  #worker: Worker | undefined;
  #url = "";

  /**
   * Starts listening: before there is a worker, so that a port in use is told before it joins.
   * @throws LockstepError that names `--metrics-port` or `--metrics-host`
   */
  static async open(options: Options): Promise<WorkerMonitoring> {
    const monitoring = new WorkerMonitoring(options);
    const { host, port, token } = options;
    monitoring.#url = httpUrl(host, await monitoring.#server.listen(host, port, { token }), "/metrics");
    return monitoring;
  }

  private constructor({ engine, driver, version }: Options) {
    const isConnected = (): boolean => this.#worker?.isConnected === true;
    const unready = (): string | undefined => (this.#worker ? this.#worker.unready() : "the worker is being started");
    this.metrics = new WorkerMetrics({ engine, driver, version, isConnected });
    const { name, device, runtime = null } = engine;
    this.#server = new MonitoringServer({
      metrics: () => this.metrics.text(),
      metricsContentType: this.metrics.contentType,
      unready,
      status: () => ({ ...this.metrics.names, engine: name, device, runtime, unready: unready() ?? null }),
    });
  }

  /** Where the metrics are read. */
  get url(): string {
    return this.#url;
  }

  watch(worker: Worker): void {
    this.#worker = worker;
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    await this.#server.close();
  }
}
