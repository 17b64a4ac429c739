import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { createGenerator } from "ts-json-schema-generator";
import { beforeAll, describe, expect, test } from "vitest";
import { DASHBOARDS } from "./dashboards.ts";

/** The dashboards are what the SDK's types allow, and have no field that these do not know. */

/** Compiling the SDK's types takes seconds. */
const COMPILING_MS = 60_000;

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

describe("dashboards as Grafana's types have them", () => {
  let errorsOf: (json: unknown) => unknown[];

  beforeAll(() => {
    const schema = createGenerator({
      path: path("dashboard-json.ts"),
      tsconfig: path("../../tsconfig.json"),
      type: "DashboardJson",
      additionalProperties: false,
      // Of equal names there are several in the SDK.
      expose: "none",
      // A method marks queries in the types; no JSON has it.
      functions: "hide",
      skipTypeCheck: true,
    }).createSchema("DashboardJson");
    const validate = new Ajv({ allErrors: true, strict: false }).compile(schema as object);
    errorsOf = (json) => (validate(json) ? [] : (validate.errors ?? []));
  }, COMPILING_MS);

  test.each(DASHBOARDS)("$file", ({ json }) => {
    expect(errorsOf(json)).toEqual([]);
  });

  // Each would be a typing error that Grafana passes over in silence.
  test.each([
    ["a field of the dashboard", '"refresh":', '"refrehs":'],
    ["a field of a panel", '"gridPos":', '"gridpos":'],
    ["a query's field", '"legendFormat":', '"legend":'],
    ["a panel's option", '"reduceOptions":', '"reducer":'],
    ["a field's default", '"thresholds":', '"threshold":'],
    ["a graph's looks", '"fillOpacity":', '"opacity":'],
    ["a mark's field", '"iconColor":', '"color":'],
    ["a kind of panel", '"type":"timeseries"', '"type":"graph"'],
    ["a word that is none of the enumeration's", '"mode":"absolute"', '"mode":"relative"'],
  ])("finds an error in %s", (_what, right, wrong) => {
    const text = JSON.stringify(DASHBOARDS.find(({ file }) => file === "training.json")?.json);
    expect(text).toContain(right);
    expect(errorsOf(JSON.parse(text.replace(right, wrong)))).not.toEqual([]);
  });
});
