import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { freePort } from "../support/free-port.ts";

/** The real Prometheus and Alertmanager with the repository's own configuration, in a hurry and on loopback. */

const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));

/** A service that does not answer by then never will. */
const START_DEADLINE_MS = 30_000;
/** A condition that has not come true by then never will. */
const DEADLINE_MS = 60_000;
const POLL_MS = 200;

const PROGRAMS = ["prometheus", "promtool", "prometheus-alertmanager"];

/** Why none of this can be tested here; undefined when it can. */
export const prometheusMissing: string | undefined = PROGRAMS.flatMap((program) => {
  return spawnSync(program, ["--version"]).status === 0 ? [] : `${program} is not installed`;
})[0];

/** Runs promtool and gives back what it says; fails where its exit code is not 0. */
export function promtool(args: readonly string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8", cwd: DEPLOY });
  expect(status, `promtool ${args.join(" ")}:\n${stdout}${stderr}`).toBe(0);
  return stdout + stderr;
}

/** Tries until it does not throw any more; then, or at the deadline, the last outcome counts. */
export async function eventually<T>(attempt: () => Promise<T> | T): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      if (Date.now() > deadline) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** One of Prometheus's series: in answers to instant queries it has a single sample. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly samples: readonly { readonly at: number; readonly value: number }[];
}

/** An alert as Alertmanager tells it. */
export interface ToldAlert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Targets {
  /** Addresses such as 127.0.0.1:9464. */
  readonly coordinator: string;
  readonly workers: readonly string[];
}

export class MonitoringStack {
  readonly #services: Service[] = [];
  readonly #webhook: Server;
  readonly #prometheusUrl: string;
  /** What the webhook was told, in order. */
  readonly told: ToldAlert[] = [];

  private constructor(prometheusPort: number) {
    this.#prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
    this.#webhook = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        this.told.push(...(JSON.parse(body) as { alerts: ToldAlert[] }).alerts);
        response.end();
      });
    });
  }

  /** Scrapes and evaluates every second. @param folder an empty one, for data and configuration */
  static async start(folder: string, targets: Targets): Promise<MonitoringStack> {
    const [prometheusPort, alertmanagerPort] = [await freePort(), await freePort()];
    const stack = new MonitoringStack(prometheusPort);
    try {
      stack.#webhook.listen(0, "127.0.0.1");
      await once(stack.#webhook, "listening");
      const { port: webhookPort } = stack.#webhook.address() as AddressInfo;
      writeConfiguration(folder, targets, alertmanagerPort, webhookPort);
      stack.#services.push(
        new Service("prometheus-alertmanager", alertmanagerPort, [
          `--config.file=${join(folder, "alertmanager.yml")}`,
          `--storage.path=${join(folder, "alertmanager")}`,
          "--cluster.listen-address=",
        ]),
        new Service("prometheus", prometheusPort, [
          `--config.file=${join(folder, "prometheus.yml")}`,
          `--storage.tsdb.path=${join(folder, "prometheus")}`,
        ]),
      );
      await Promise.all(stack.#services.map((service) => service.ready()));
      return stack;
    } catch (thrown) {
      await stack.stop();
      throw thrown;
    }
  }

  /** What a query gives now. */
  async query(expr: string): Promise<Series[]> {
    return this.#ask("query", { query: expr });
  }

  /** What a query gives, second by second. @param since in ms since 1970 */
  async queryRange(expr: string, since: number): Promise<Series[]> {
    const [start, end] = [since, Date.now()].map((ms) => String(ms / 1000));
    return this.#ask("query_range", { query: expr, start: start!, end: end!, step: "1" });
  }

  async #ask(path: string, parameters: Readonly<Record<string, string>>): Promise<Series[]> {
    const response = await fetch(`${this.#prometheusUrl}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as {
      error?: string;
      data?: { result: { metric: Record<string, string>; value?: Sample; values?: Sample[] }[] };
    };
    if (answer.data === undefined) throw new Error(`Prometheus refuses ${parameters["query"]}: ${answer.error}`);
    return answer.data.result.map(({ metric, value, values = [] }) => ({
      metric,
      samples: (value === undefined ? values : [value]).map(([at, text]) => ({ at, value: numberOf(text) })),
    }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
    this.#webhook.closeAllConnections();
    this.#webhook.close();
  }
}

/** A time in seconds and a number in Go's spelling. */
type Sample = readonly [number, string];

function numberOf(text: string): number {
  return text.endsWith("Inf") ? Number(text.replace("Inf", "Infinity")) : Number(text);
}

/** The repository's files with other addresses, and with seconds in place of minutes. */
function writeConfiguration(folder: string, targets: Targets, alertmanagerPort: number, webhookPort: number): void {
  const list = (addresses: readonly string[]) => `targets: [${addresses.map((each) => `"${each}"`).join(", ")}]`;
  const prometheus = replaced(readFileSync(join(DEPLOY, "prometheus/prometheus.yml"), "utf8"), [
    [/(scrape|evaluation)_interval: 15s/g, "$1_interval: 1s"],
    ["targets: [alertmanager:9093]", list([`127.0.0.1:${alertmanagerPort}`])],
    ["targets: [coordinator:9464]", list([targets.coordinator])],
    [/dns_sd_configs:\n(?: {6,}.*\n)+/, `static_configs:\n      - ${list(targets.workers)}\n`],
  ]);
  const alertmanager = replaced(readFileSync(join(DEPLOY, "alertmanager/alertmanager.yml"), "utf8"), [
    [/group_(wait|interval): \w+/g, "group_$1: 1s"],
    [
      /receivers:\n {2}- name: people\n/,
      `$&    webhook_configs: [{ url: "http://127.0.0.1:${webhookPort}/", send_resolved: true }]\n`,
    ],
  ]);
  mkdirSync(folder, { recursive: true });
  cpSync(join(DEPLOY, "prometheus/rules"), join(folder, "rules"), { recursive: true });
  const alerts = join(folder, "rules/alerts.yml");
  writeFileSync(alerts, replaced(readFileSync(alerts, "utf8"), [[/for: \d+m/g, "for: 1s"]]));
  writeFileSync(join(folder, "prometheus.yml"), prometheus);
  writeFileSync(join(folder, "alertmanager.yml"), alertmanager);
}

/** Each replacement must find something: otherwise the file has changed, and this one must too. */
function replaced(text: string, changes: readonly (readonly [string | RegExp, string])[]): string {
  return changes.reduce((changed, [from, to]) => {
    const next = changed.replace(from, to);
    if (next === changed) throw new Error(`nothing to replace for ${String(from)} in:\n${text}`);
    return next;
  }, text);
}

/** A program that answers at /-/ready once it is. */
class Service {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #url: string;
  #output = "";

  constructor(name: string, port: number, args: readonly string[]) {
    this.#name = name;
    this.#url = `http://127.0.0.1:${port}/-/ready`;
    this.#child = spawn(name, [...args, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    }
    this.#child.on("error", ({ message }) => (this.#output += message));
  }

  async ready(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    for (;;) {
      const isReady = await fetch(this.#url).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return;
      if (this.#hasEnded || Date.now() > deadline) throw new Error(`${this.#name} does not start:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), START_DEADLINE_MS);
    await closed;
    clearTimeout(kill);
  }

  get #hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }
}
