import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { Metrics } from "../../src/coordinator/metrics.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { MessageCounts } from "../../src/shared/metrics/message-counts.ts";
import { RelayMetrics } from "../../src/relay/metrics.ts";
import { WorkerMetrics } from "../../src/worker/metrics.ts";
import { epoch, resumed, started, step } from "../coordinator/training-events.ts";

/** The names of all series keep to Prometheus' conventions (https://prometheus.io/docs/practices/naming), and METRICS.md. */

const DOCUMENT = readFileSync(new URL("../../docs/METRICS.md", import.meta.url), "utf8");
/** Labels whose values are not from a list in the code, and what bounds them: 512 workers; 32 reasons. */
const BOUNDED_LABELS = ["worker", "reason"];
/** Labels of which a run or a worker has one value, or a worker one at a time. */
const INFO = /_info$/;
const BASE_UNITS = ["seconds", "bytes", "ratio"];

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

function parse(text: string): Metric[] {
  const lines = text.split("\n");
  return lines.flatMap((line, i) => {
    const [, name, help] = /^# HELP (lockstep_\w+) (.*)$/.exec(line) ?? [];
    if (name === undefined || help === undefined) return [];
    const type = lines[i + 1]?.split(" ")[3] ?? "";
    const series = lines.filter((each) => each.replace(/_bucket\{/, "{").startsWith(`${name}{`));
    const labels = series.flatMap((each) => [...each.matchAll(/(\w+)="/g)].flatMap(([, label]) => label ?? []));
    return [{ name, type, help, labels: [...new Set(labels)].filter((label) => !["run", "le"].includes(label)) }];
  });
}

async function ofCoordinator(): Promise<Metric[]> {
  const metrics = new Metrics({
    ...{ config: configFrom("train", {}), version: "1", now: () => 0, time: () => 0 },
  });
  const entry = { name: "worker-1", host: "h", pid: 1, engine: "wasm", device: "cpu", runtime: "r", driver: "d" };
  metrics.watch("runs/a", {
    roster: () => [{ ...entry, ready: true, state: "ready", silentMs: 1, shardMs: 1 }],
    traffic: { sent: MessageCounts.ofCoordinator(), received: MessageCounts.ofWorkers() },
    coverage: { lost: 0, repeated: 0 },
  });
  const happened = [started(), resumed(), step({ gradientNorm: 1 }), epoch({ validationAccuracy: 0.9, isBest: true })];
  for (const event of happened) metrics.record(event);
  metrics.record({ type: "checkpoint", path: "p", step: 1, sizeBytes: 1, durationMs: 1 });
  metrics.record({ type: "rejected", reason: "duplicate" });
  return parse(await metrics.text());
}

async function ofWorker(): Promise<Metric[]> {
  const engine = { name: "wasm", device: "cpu", runtime: "r" } as const;
  const metrics = new WorkerMetrics({ engine, driver: "d", version: "1", isConnected: () => true });
  return parse(await metrics.text());
}

async function ofRelay(): Promise<Metric[]> {
  const metrics = new RelayMetrics({ version: "1", isConnected: () => true, workersReady: () => 1 });
  metrics.rejected("duplicate");
  return parse(await metrics.text());
}

/** The rows below a heading, up to the next heading of its kind. */
function documented(heading: string): Metric[] {
  const section = DOCUMENT.split(/^## /m).find((each) => each.startsWith(heading)) ?? "";
  return [...section.matchAll(/^\| `(lockstep_\w+)` +\| (\w+) +\|([^|]*)\|([^|]*)\|$/gm)].map(
    ([, name = "", type = "", labels = "", help = ""]) => {
      return { name, type, help, labels: [...labels.matchAll(/`(\w+)`/g)].flatMap(([, label]) => label ?? []) };
    },
  );
}

describe.each([
  ["Of the coordinator", ofCoordinator],
  ["Of a worker", ofWorker],
  ["Of a relay", ofRelay],
])("%s:", (heading, collect) => {
  let metrics: Metric[];
  beforeAll(async () => {
    metrics = await collect();
  });

  test("METRICS.md lists all metrics, with their types and labels, and no others", () => {
    const brief = (all: readonly Metric[]) =>
      all.map(({ name, type, labels }) => `${name} ${type} ${labels.join()}`).toSorted();
    expect(brief(documented(heading))).toEqual(brief(metrics));
  });

  test("counters end in _total, and nothing else does", () => {
    expect(metrics.filter(({ name, type }) => name.endsWith("_total") !== (type === "counter"))).toEqual([]);
  });

  test("no name has a suffix that Prometheus adds, another unit than the base ones, or its type in it", () => {
    const odd = /_(count|sum|bucket|gauge|counter|histogram|ms|millis|milliseconds|micros|minutes|percent|kb|mb)(_|$)/;
    expect(metrics.filter(({ name }) => odd.test(name))).toEqual([]);
    for (const unit of BASE_UNITS) {
      const named = metrics.filter(({ name }) => name.split("_").includes(unit));
      expect(named.filter(({ name }) => !new RegExp(`_${unit}(_total)?$`).test(name))).toEqual([]);
    }
  });

  test("help is a sentence", () => {
    expect(metrics.filter(({ help }) => !/^[A-Z1].*\.$/.test(help))).toEqual([]);
  });

  test("labels take values from lists in the code, but for those that are bounded", () => {
    const listed = ["state", "phase", "direction", "type"];
    const open = metrics.filter(
      ({ name, labels }) => !INFO.test(name) && labels.some((label) => ![...listed, ...BOUNDED_LABELS].includes(label)),
    );
    expect(open).toEqual([]);
  });
});
