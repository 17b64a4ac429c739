import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { compareRuns } from "../../src/compare/comparison.ts";
import { comparePage } from "../../src/compare/page.ts";
import { madeUpRun } from "./made-up-runs.ts";

const HOSTILE = `<img src=x onerror=alert(1)>"'`;

const page = comparePage(
  compareRuns(
    [
      madeUpRun("good", { seed: 1 }),
      madeUpRun("other", { seed: 2 }, { figures: { testAccuracy: 0.97 } }),
      madeUpRun(
        HOSTILE,
        { data: HOSTILE, seed: 3 },
        { ending: { type: "failed", message: HOSTILE }, notes: [HOSTILE] },
      ),
    ],
    [{ runDir: HOSTILE, problem: "is no folder" }],
    "test-accuracy",
  ),
);

test("needs no script, loads nothing, and may use its own style alone", () => {
  const [, style] = /<style>([^]*)<\/style>/.exec(page) ?? [];
  const hash = createHash("sha256")
    .update(style ?? "")
    .digest("base64");
  expect(page.replaceAll("&#39;", "'")).toContain(
    `content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`,
  );
  expect(page).not.toMatch(/<script|<link|<iframe|\ssrc=(?!x)|url\(/i);
});

test("what runs are called, said and set cannot become markup", () => {
  expect(page).not.toContain("<img");
  expect(page.split("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;").length).toBeGreaterThan(5);
});

test("draws a line for each run in each of four charts, and names them once", () => {
  const charts = page.split("<figure").slice(1);
  expect(charts).toHaveLength(4);
  for (const chart of charts) expect(chart.match(/class="line"/g)).toHaveLength(3);
  expect(page.match(/class="key /g)).toHaveLength(2);
  for (const look of ["series-1", "series-2"])
    expect(page).toContain(`.${look} .line, .key.${look} path { stroke: var(`);
});

test("has charts of the validation images where a run has some", () => {
  const run = madeUpRun("a", {}, { figures: { validationAccuracy: 0.975 } });
  const course = run.course.map((point) => ({ ...point, validationAccuracy: 0.975 }));
  const validated = comparePage(compareRuns([{ ...run, course }, madeUpRun("b")], [], "validation-accuracy"));
  expect(page).not.toContain("Validation accuracy");
  const charts = validated.split("<figure").filter((chart) => chart.includes("Validation accuracy by"));
  expect(charts).toHaveLength(2);
  for (const chart of charts) expect(chart.match(/class="line"/g)).toHaveLength(1);
  expect(validated.replaceAll(/<[^>]+>/g, "")).toContain(
    "First by validation accuracy: a, validation accuracy 97.50 %",
  );
});

test("says who is first, and what seeds come to", () => {
  expect(page.replaceAll(/<[^>]+>/g, "")).toContain("First by test accuracy: good, test accuracy 98.00 %");
  expect(page).toContain("Over seeds");
  expect(page).toContain(`is no folder.`);
});
