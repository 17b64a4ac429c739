import type { AccessToken } from "../shared/access-token.ts";
import { MonitoringServer } from "../shared/http.ts";
import { httpUrl } from "../shared/page-server.ts";
import { RelayMetrics } from "./metrics.ts";
import type { Relay } from "./relay.ts";

interface Options {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Of lockstep itself. */
  readonly version: string;
  /** What readers have to show. */
  readonly token?: AccessToken | undefined;
}

/** A relay's own metrics, and the port where they are read. */
export class RelayMonitoring {
  readonly metrics: RelayMetrics;
  readonly #server: MonitoringServer;
  #relay: Relay | undefined;
  #url = "";

  /**
   * Starts listening: before there is a relay, so that a port in use is told before it joins.
   * @throws LockstepError that names `--metrics-port` or `--metrics-host`
   */
  static async open(options: Options): Promise<RelayMonitoring> {
    const monitoring = new RelayMonitoring(options);
    const { host, port, token } = options;
    monitoring.#url = httpUrl(host, await monitoring.#server.listen(host, port, { token }), "/metrics");
    return monitoring;
  }

  private constructor({ version }: Options) {
    const workersReady = (): number => this.#relay?.workersReady ?? 0;
    const isConnected = (): boolean => this.#relay?.isConnected === true;
    const unready = (): string | undefined => (this.#relay ? this.#relay.unready() : "the relay is being started");
    this.metrics = new RelayMetrics({ version, isConnected, workersReady });
    this.#server = new MonitoringServer({
      metrics: () => this.metrics.text(),
      metricsContentType: this.metrics.contentType,
      unready,
      status: () => ({
        ...{ ...this.metrics.names, workers: this.#relay?.roster() ?? [], step: this.#relay?.step ?? null },
        unready: unready() ?? null,
      }),
    });
  }

  /** Where the metrics are read. */
  get url(): string {
    return this.#url;
  }

  watch(relay: Relay): void {
    this.#relay = relay;
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    await this.#server.close();
  }
}
