import { onCrash } from "../crashes.ts";
import { RelayMonitoring } from "../relay/monitoring.ts";
import { Relay } from "../relay/relay.ts";
import { RelayLog } from "../relay/relay-log.ts";
import { AccessToken } from "../shared/access-token.ts";
import { systemClock } from "../shared/clock.ts";
import type { RelayConfig } from "../shared/config.ts";
import { connectionKeys, listenerKeys } from "../shared/keys/endpoint-keys.ts";
import { connectZmq } from "../shared/transport/zmq-connection.ts";
import { listenZmq } from "../shared/transport/zmq-listener.ts";
import { onSignal } from "../signals.ts";
import { VERSION } from "../version.ts";

/** `lockstep relay`. @returns the exit code */
export async function relayCommand(config: RelayConfig): Promise<number> {
  const log = new RelayLog(config, process.stderr);
  const warn = (text: string): void => log.tell("warning", `warning: ${text}`);
  if (config.logFormat === "json") onCrash((thrown) => log.crashed(thrown));
  const door = listenerKeys(config, warn);
  // The same secret key: its file was warned about already.
  const visitor = connectionKeys(config, () => {});
  const below = await listenZmq(config.listen, door);
  const { connect: address } = config;
  log.tell("connecting", `listening on ${below.address}; connecting to ${address}`, { listen: below.address, address });
  const monitoring = await openMonitoring(config, warn);
  if (monitoring !== undefined) {
    log.tell("monitoring", `metrics for Prometheus at ${monitoring.url}`, { url: monitoring.url });
  }
  const relay = new Relay({
    ...{ above: connectZmq(address, visitor), below, address, clock: systemClock, log: log.follow },
    coordinatorTimeoutMs: config.coordinatorTimeoutS * 1000,
    joinTimeoutMs: config.joinTimeoutS === 0 ? Infinity : config.joinTimeoutS * 1000,
    metrics: monitoring?.metrics,
  });
  monitoring?.watch(relay);
  onSignal((signal) => relay.interrupt(signal));
  const end = await relay.run();
  await monitoring?.close();
  log.ended(end, relay.step);
  return end.code;
}

async function openMonitoring(
  { metricsHost: host, metricsPort: port, metricsTokenFile }: RelayConfig,
  warn: (text: string) => void,
): Promise<RelayMonitoring | undefined> {
  if (port === undefined) return undefined;
  const token = metricsTokenFile === undefined ? undefined : new AccessToken(metricsTokenFile, warn);
  return RelayMonitoring.open({ host, port, token, version: VERSION });
}
