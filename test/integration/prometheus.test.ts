import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DASHBOARDS, queriesOf } from "../grafana/dashboards.ts";
import { eventually, MonitoringStack, prometheusMissing, promtool, type Series } from "../grafana/monitoring-stack.ts";
import { type RunningCommand, useCli } from "../support/cli.ts";
import { RogueWorker } from "../support/rogue.ts";

/** Metrics, dashboards and alerts before the real Prometheus and Alertmanager, with a run that is watched. */

const reason = prometheusMissing === undefined ? "" : ` (${prometheusMissing})`;
const cli = useCli();

/**
 * The run ends when the test does. Epochs are short, so that there are some; checkpoints are many, and shards too: of two
 * a step, a worker that is slow for a while may get none.
 */
const ENDLESS = [
  ...["--epochs", "1000", "--limit-train", "16000", "--checkpoint-every", "20", "--shard-size", "8"],
  ...["--validation", "500"],
];
const RUN = "watched";
const LIMIT_MS = 240_000;

/**
 * Queries that rightly find nothing in a run without troubles. Each is answered once the trouble has been made, and over
 * the whole time, since it may be over by then.
 */
const ONLY_AFTER_TROUBLE = /Results rejected|annotation/;

const DEPLOY = join(import.meta.dirname, "../../deploy/prometheus");
const RULES = ["recording.yml", "alerts.yml"]
  .map((file) => readFileSync(join(DEPLOY, "rules", file), "utf8"))
  .join("\n");
/** What the rules read and record: a name that nobody serves would keep an alert silent for ever. */
const NAMES_IN_RULES = [...new Set(RULES.match(/\b(?:lockstep|process|nodejs)_\w+|\b(?:run|worker):[\w:]+/g))];

const QUERIES = DASHBOARDS.flatMap(({ json }) => queriesOf(json)).map(({ name, expr }) => ({
  name,
  expr: asked(expr),
}));
const QUERIES_OF_RULES = NAMES_IN_RULES.map((name) => ({ name, expr: `${name}{run="${RUN}"}` }));

/** What Grafana puts in place of its variables, for a Prometheus that scrapes every second. */
function asked(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "5s")
    .replaceAll("$__interval", "1s")
    .replaceAll("$run", RUN)
    .replaceAll("$worker", ".*");
}

describe("the configuration", () => {
  it.skipIf(prometheusMissing !== undefined)(`is what promtool takes for right${reason}`, () => {
    for (const file of ["prometheus.yml", "local.yml"]) {
      expect(promtool(["check", "config", `prometheus/${file}`]), file).toMatch(/2 rule files found/);
    }
    const tests = readdirSync(join(DEPLOY, "tests"));
    const said = promtool(["test", "rules", ...tests.map((file) => `prometheus/tests/${file}`)]);
    expect(said.match(/SUCCESS/g)).toHaveLength(tests.length);
  });
});

describe.skipIf(prometheusMissing !== undefined)(`a run that Prometheus watches${reason}`, () => {
  it(
    "gives every panel of every dashboard something to show, and tells people of a worker that is lost",
    async () => {
      const since = Date.now();
      const { address, targets, victim, coordinator } = await startRun();
      const stack = await MonitoringStack.start(join(cli.folder(), "monitoring"), targets);
      try {
        await everyTargetIsUp(stack, 1 + targets.workers.length);
        await seesAll(stack);
        await lintMetrics([targets.coordinator, ...targets.workers]);
        victim.kill("SIGKILL");
        await coordinator.sees(/lost worker worker-2/);
        await tellsOfTheLoss(stack);
        await answersBadly(address, stack);
        await seesTroubles(stack, since);
      } finally {
        await stack.stop();
      }
    },
    LIMIT_MS,
  );
});

/** A coordinator and two workers, all of which answer Prometheus. */
async function startRun(): Promise<{
  coordinator: RunningCommand;
  victim: RunningCommand;
  address: string;
  targets: { coordinator: string; workers: string[] };
}> {
  const coordinator = cli.start([
    ...["coordinator", "--listen", "tcp://127.0.0.1:*", "--metrics-port", "0", "--run-dir", `runs/${RUN}`],
    ...["--min-workers", "2", "--log-every", "20", ...ENDLESS],
  ]);
  const metrics = /etrics for Prometheus at http:\/\/(127\.0\.0\.1:\d+)\/metrics/;
  const [, own] = await coordinator.sees(metrics);
  const [, address] = await coordinator.sees(/Listening on (tcp:\/\/127\.0\.0\.1:\d+)/);
  const worker = () => cli.start(["worker", "--connect", address!, "--metrics-port", "0"]);
  const first = worker();
  const [, firstTarget] = await first.sees(metrics);
  await first.sees(/welcomed as worker-1/);
  const victim = worker();
  const [, secondTarget] = await victim.sees(metrics);
  await coordinator.sees(/Step \[20\//);
  return {
    coordinator,
    victim,
    address: address!,
    targets: { coordinator: own!, workers: [firstTarget!, secondTarget!] },
  };
}

async function everyTargetIsUp(stack: MonitoringStack, targets: number): Promise<void> {
  await eventually(async () => {
    const up = await stack.query("up");
    expect(up.filter(({ samples }) => samples[0]?.value === 1)).toHaveLength(targets);
  });
}

/** At one and the same moment, all queries that do not wait for trouble find series with numbers. */
async function seesAll(stack: MonitoringStack): Promise<void> {
  const ofDashboards = QUERIES.filter(({ name }) => !ONLY_AFTER_TROUBLE.test(name));
  expect(ofDashboards.length).toBeGreaterThan(50);
  expect(QUERIES_OF_RULES.length).toBeGreaterThan(20);
  const queries = [...ofDashboards, ...QUERIES_OF_RULES];
  await eventually(async () => {
    const found = await Promise.all(queries.map(async ({ name, expr }) => ({ name, series: await stack.query(expr) })));
    expect(found.filter(({ series }) => !hasNumbers(series)).map(({ name }) => name)).toEqual([]);
  });
}

const hasNumbers = (series: readonly Series[]): boolean =>
  series.length > 0 && series.every(({ samples }) => samples.every(({ value }) => Number.isFinite(value)));

/** A worker joins, and answers for a step that nobody has asked for. */
async function answersBadly(address: string, stack: MonitoringStack): Promise<void> {
  const rogue = await RogueWorker.join(address);
  const task = await rogue.until("assign");
  await rogue.answerSlice({ ...task, step: task.step + 1000 }, "dense", 0);
  await eventually(async () => expect(await stack.query("lockstep_results_rejected_total")).not.toEqual([]));
  rogue.close();
}

/** The loss of a worker fires its alert, and Alertmanager passes it on with all that people need. */
async function tellsOfTheLoss(stack: MonitoringStack): Promise<void> {
  const of = (alertname: string) => stack.told.find(({ labels }) => labels["alertname"] === alertname);
  await eventually(() => expect(of("LockstepWorkerLost")).toBeDefined());
  expect(of("LockstepWorkerLost")).toMatchObject({
    status: "firing",
    labels: { run: RUN, severity: "warning", job: "lockstep" },
    annotations: {
      summary: `Run ${RUN} lost a worker.`,
      description: expect.stringMatching(/^Workers that died or failed in the last five minutes: [1-9]/),
      runbook_url: "docs/ALERTS.md#lockstepworkerlost",
    },
  });
  // The run waits now. That is told as well, and nothing else that is critical.
  await eventually(() => expect(of("LockstepWorkersBelowMinimum")).toBeDefined());
  const critical = stack.told.filter(({ labels }) => labels["severity"] === "critical");
  expect(new Set(critical.map(({ labels }) => labels["alertname"]))).toEqual(new Set(["LockstepWorkersBelowMinimum"]));
  const [firing] = await stack.query(`count(ALERTS{run="${RUN}", alertstate="firing"})`);
  expect(firing?.samples[0]?.value).toBeGreaterThanOrEqual(2);
}

async function seesTroubles(stack: MonitoringStack, since: number): Promise<void> {
  const queries = QUERIES.filter(({ name }) => ONLY_AFTER_TROUBLE.test(name));
  // A panel, and three kinds of marks on each dashboard.
  expect(queries).toHaveLength(1 + 3 * DASHBOARDS.length);
  for (const { name, expr } of queries) {
    await eventually(async () => {
      const series = await stack.queryRange(expr, since);
      expect(hasNumbers(series), name).toBe(true);
      const highest = Math.max(...series.flatMap(({ samples }) => samples.map(({ value }) => value)));
      expect(highest, name).toBeGreaterThan(0);
    });
  }
}

/** Names and units of our own metrics are as Prometheus wants them; those of Node.js are not ours. */
async function lintMetrics(targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const text = await (await fetch(`http://${target}/metrics`)).text();
    const own = text.split("\n").filter((line) => /^(# (HELP|TYPE) )?lockstep_/.test(line));
    expect(own.length).toBeGreaterThan(10);
    promtool(["check", "metrics"], `${own.join("\n")}\n`);
  }
}
