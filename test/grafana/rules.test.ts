import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DASHBOARDS, queriesOf } from "./dashboards.ts";

/** What promtool does not check: that alerts are explained and seen both firing and not, and what is recorded is read. */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(ROOT + path, "utf8");

const RULES = read("deploy/prometheus/rules/alerts.yml");
const RECORDINGS = read("deploy/prometheus/rules/recording.yml");
const PAGE = read("docs/ALERTS.md");
const TESTS = readdirSync(`${ROOT}deploy/prometheus/tests`).map((file) => read(`deploy/prometheus/tests/${file}`));

const ALERTS = RULES.split(/^ *- alert: /m)
  .slice(1)
  .map((text) => ({ name: /^\w+/.exec(text)?.[0] ?? "", text }));

const firstWords = (text: string, words: readonly string[]): boolean =>
  words.every((word) => new RegExp(`^ *${word}: .`, "m").test(text));

/** The part of the page under an alert's heading. */
function sectionOf(name: string): string {
  return PAGE.split(/^## /m).find((section) => section.startsWith(`${name}\n`)) ?? "";
}

test("there are alerts, and no page explains one that there is not", () => {
  expect(ALERTS.length).toBeGreaterThanOrEqual(12);
  const explained = [...PAGE.matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
  expect(new Set(explained)).toEqual(new Set(ALERTS.map(({ name }) => name)));
});

test("Grafana knows how often Prometheus scrapes, and finds the dashboards where they are mounted", () => {
  for (const file of ["prometheus.yml", "local.yml"]) {
    const [, scraped] = /scrape_interval: (\w+)/.exec(read(`deploy/prometheus/${file}`)) ?? [];
    expect(read("grafana/provisioning/datasources/prometheus.yml"), file).toContain(`timeInterval: ${scraped}\n`);
  }
  expect(read("grafana/provisioning/dashboards/lockstep.yml")).toContain("path: /var/lib/grafana/dashboards\n");
});

const QUERIES = DASHBOARDS.flatMap(({ json }) => queriesOf(json)).map(({ expr }) => expr);

test("what is recorded is read by a dashboard or an alert, and they read nothing that is not recorded", () => {
  const recorded = [...RECORDINGS.matchAll(/record: (\S+)/g)].map(([, name]) => name);
  expect(recorded.length).toBeGreaterThan(0);
  const read = [RULES, ...QUERIES].flatMap((text) => text.match(/\b(?:run|worker):\w+(?::\w+)?/g) ?? []);
  expect(new Set(read)).toEqual(new Set(recorded));
});

test("no rate counts what is added to departed workers at once", () => {
  const rates = [RULES, RECORDINGS, ...QUERIES].flatMap(
    (text) => text.match(/lockstep_worker_(?:phase_seconds|shards)_total(?:\{[^}]*\})?\[/g) ?? [],
  );
  expect(rates.length).toBeGreaterThan(5);
  for (const each of rates) expect(each).toContain('worker!="gone"');
});

describe.each(ALERTS)("$name", ({ name, text }) => {
  test("has a severity, a summary, a description and the address of its explanation", () => {
    expect(firstWords(text, ["severity", "summary", "description", "runbook_url"])).toBe(true);
    expect(text).toMatch(/severity: (critical|warning)$/m);
    expect(text).toContain(`runbook_url: docs/ALERTS.md#${name.toLowerCase()}\n`);
    expect(/summary: .*/.exec(text)?.[0]).toContain("{{ $labels.run }}");
  });

  test("is explained: how bad, why, what to do, how to silence", () => {
    const section = sectionOf(name);
    expect(section).toContain(text.includes("severity: critical") ? "**Critical.**" : "**Warning.**");
    for (const part of ["Likely causes: ", "What to do: ", "ilence it"]) expect(section).toContain(part);
  });

  test("has been seen firing and not firing", () => {
    const expectations = TESTS.flatMap((test) => test.split(/^ *- (?=\{? ?eval_time)/m)).filter((test) =>
      new RegExp(`alertname: ${name}\\b`).test(test),
    );
    const silent = expectations.filter((each) => each.includes("exp_alerts: []"));
    expect(silent.length).toBeGreaterThan(0);
    expect(expectations.length).toBeGreaterThan(silent.length);
  });
});
