import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadConfig, strangeVariables } from "../../src/shared/config-sources.ts";

const folder = mkdtempSync(join(tmpdir(), "lockstep-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, "config.json");
  writeFileSync(path, content);
  return path;
}

test("flags win over environment over file over recipe over defaults", () => {
  const config = file(JSON.stringify({ recipe: "best", epochs: 1, batchSize: 1, lr: 1 }));
  const environment = { LOCKSTEP_EPOCHS: "2", LOCKSTEP_BATCH_SIZE: "2", LOCKSTEP_UNKNOWN: "x" };
  expect(loadConfig("train", { config, epochs: "3" }, environment)).toMatchObject({
    epochs: 3,
    batchSize: 2,
    lr: 1,
    schedule: "one-cycle",
    shardSize: 32,
  });
});

test("the file can be named by the environment", () => {
  expect(loadConfig("doctor", {}, { LOCKSTEP_CONFIG: file('{"json": true}') })).toEqual({ json: true });
});

test("a port that is asked for anywhere is explicit", () => {
  expect(loadConfig("train", {}, {}).metricsPortExplicit).toBe(false);
  expect(loadConfig("train", { metricsPort: "9464" }, {}).metricsPortExplicit).toBe(true);
  expect(loadConfig("train", {}, { LOCKSTEP_METRICS_PORT: "9464" }).metricsPortExplicit).toBe(true);
  expect(loadConfig("train", { config: file('{"metricsPort": 0}') }, {}).metricsPortExplicit).toBe(true);
});

test("messages name the option as it was written", () => {
  expect(() => loadConfig("train", {}, { LOCKSTEP_EPOCHS: "" })).toThrow('LOCKSTEP_EPOCHS is ""; allowed: a whole');
  const config = file('{"epochs": 1.5}');
  expect(() => loadConfig("train", { config }, {})).toThrow(`${config}: epochs is 1.5; allowed: a whole number`);
  expect(() => loadConfig("train", { minWorkers: "3" }, { LOCKSTEP_WORKERS: "2" })).toThrow(
    "--min-workers 3 can never be reached with LOCKSTEP_WORKERS 2",
  );
});

test.each([
  ['{"epoch": 1}', ": epoch is not an option; did you mean epochs?"],
  ['{"batch-size": 1}', ": batch-size is not an option; did you mean batchSize?"],
  ['{"metricsPortExplicit": true}', ": metricsPortExplicit is not an option; "],
  ['{"__proto__": 1}', ": __proto__ is not an option; allowed: recipe, epochs"],
  ["[1]", " holds an array; allowed: a JSON object such as"],
  ["null", " holds null; allowed: a JSON object"],
  ["3", " holds a number; allowed: a JSON object"],
  ["", " is not JSON ("],
  ["epochs: 3", " is not JSON ("],
])("a file that says %s is refused", (content, message) => {
  const path = file(content);
  expect(() => loadConfig("train", { config: path }, {})).toThrow(path + message);
});

test("a file that cannot be read is refused", () => {
  const missing = join(folder, "missing.json");
  expect(() => loadConfig("train", { config: missing }, {})).toThrow(`config file ${missing} does not exist`);
  expect(() => loadConfig("train", { config: folder }, {})).toThrow(`config file ${folder} is a folder`);
});

test("a file may serve several commands, and begin with a byte order mark", () => {
  const config = file('\uFEFF{"epochs": 3, "workers": 2, "engine": "reference"}');
  expect(loadConfig("coordinator", { config }, {})).toMatchObject({ epochs: 3 });
  expect(loadConfig("worker", { config }, {})).toMatchObject({ engine: "reference" });
});

test("variables that look like options and are none are named", () => {
  expect(strangeVariables({ LOCKSTEP_EPOCH: "1", LOCKSTEP_SEED: "1", LOCKSTEP_CONFIG: "x", PATH: "/" })).toEqual([
    "LOCKSTEP_EPOCH is not an option; did you mean LOCKSTEP_EPOCHS?",
  ]);
});
