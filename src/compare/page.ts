import { createHash } from "node:crypto";
import { type Content, Html, html } from "../report/html.ts";
import { lineChart, type LineChart, lineKey } from "../report/line-chart.ts";
import { formatPercent, formatPlural } from "../shared/format.ts";
import type { ComparedRun, CoursePoint } from "./compared-run.ts";
import { areValidated, type Comparison } from "./comparison.ts";
import { lossText, runTable, seedTable, type Table } from "./run-rows.ts";
import { linePoints, seriesOf } from "./series.ts";
import { COMPARE_STYLE } from "./style.ts";

/** As one piece: the policy names the hash of what stands between the tags, to the last space. */
const STYLE_ELEMENT = new Html(`<style>${COMPARE_STYLE}</style>`);

/** What a chart shows of a point. */
interface Value extends Pick<LineChart, "y" | "format"> {
  readonly of: (point: CoursePoint) => number | null;
}

/** A run of more than this is shown in minutes. */
const MAX_SECONDS_ON_AXIS = 300;

/** The comparison as a page of its own, that needs no script, loads nothing and may not do so. */
export function comparePage(comparison: Comparison): string {
  const styleHash = createHash("sha256").update(COMPARE_STYLE).digest("base64");
  const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'`;
  const title = `${formatPlural(comparison.runs.length, "run")} compared`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}: lockstep</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <p class="brand">lockstep comparison</p>
          <h1>${title}</h1>
          <p class="verdict">${verdict(comparison)}</p>
        </header>
        <main>${curves(comparison)}${tables(comparison)}${remarks(comparison)}</main>
      </body>
    </html> `;
  return page.toString();
}

function verdict({ runs, by }: Comparison): Content {
  const [best] = runs;
  if (best === undefined) return undefined;
  const { testAccuracy, validationAccuracy, trainLoss } = best.figures;
  const validation = validationAccuracy === null ? "" : `, validation accuracy ${formatPercent(validationAccuracy)}`;
  const accuracy = testAccuracy === null ? "" : `, test accuracy ${formatPercent(testAccuracy)}`;
  const loss = trainLoss === null ? "" : `, train loss ${lossText(trainLoss)}`;
  return html`First by ${by.replace("-", " ")}: <strong>${best.name}</strong>${validation}${accuracy}${loss}.`;
}

function curves(comparison: Comparison): Html {
  const { series, left } = seriesOf(comparison);
  const chart = (
    title: string,
    axis: Pick<LineChart, "xName" | "xMax"> & { x: (point: CoursePoint) => number | null },
    value: Value,
  ): Html =>
    lineChart({
      ...{ title, summary: summaryOf(comparison.runs, value), legend: "none" },
      ...{ xName: axis.xName, xMax: axis.xMax, y: value.y, format: value.format },
      lines: series.flatMap(({ look, runs }) =>
        runs.map((run) => ({ name: run.name, look, points: linePoints(run, axis.x, value.of) })),
      ),
    });
  const drawn = series.flatMap(({ runs }) => runs);
  const [epochs, time] = [epochAxis(drawn), timeAxis(drawn)];
  const validation = areValidated(drawn)
    ? html`${chart("Validation accuracy by epoch", epochs, VALIDATION)}${chart("Validation accuracy by time", time, VALIDATION)}`
    : undefined;
  return html`<section id="curves">
    <h2>Course</h2>
    <ul class="series-key">
      ${series.map((each) => html`<li>${lineKey(each)}</li>`)}
    </ul>
    <div class="charts">
      ${validation}
      ${chart("Test accuracy by epoch", epochs, ACCURACY)}${chart("Test accuracy by time", time, ACCURACY)}
      ${chart("Train loss by epoch (logarithmic)", epochs, LOSS)}${chart("Train loss by time (logarithmic)", time, LOSS)}
    </div>
    ${left === 0 ? undefined : html`<p class="muted">Not drawn: ${formatPlural(left, "run")} of those in the table.</p>`}
  </section> `;
}

const ACCURACY: Value = {
  ...{ y: "linear", format: (y: number) => `${Number((y * 100).toFixed(2))} %` },
  of: ({ testAccuracy }) => testAccuracy,
};

const VALIDATION: Value = { ...ACCURACY, of: ({ validationAccuracy }) => validationAccuracy };

const LOSS: Value = {
  ...{ y: "logarithmic", format: (y: number) => String(Number(y.toPrecision(3))) },
  of: ({ trainLoss }) => trainLoss,
};

function epochAxis(runs: readonly ComparedRun[]) {
  const xMax = largest(runs, ({ epoch }) => epoch);
  return { xName: "epochs", xMax, x: ({ epoch }: CoursePoint) => epoch };
}

function timeAxis(runs: readonly ComparedRun[]) {
  const most = largest(runs, ({ seconds }) => seconds ?? 0);
  const unit = most > MAX_SECONDS_ON_AXIS ? 60 : 1;
  const x = ({ seconds }: CoursePoint): number | null => (seconds === null ? null : seconds / unit);
  return { xName: unit === 1 ? "seconds" : "minutes", xMax: most / unit, x };
}

function largest(runs: readonly ComparedRun[], value: (point: CoursePoint) => number): number {
  return runs.reduce((most, { course }) => course.reduce((sofar, point) => Math.max(sofar, value(point)), most), 0);
}

function summaryOf(runs: readonly ComparedRun[], { of, format }: Value): string {
  const ends = runs.flatMap(({ course }) => {
    const last = course.at(-1);
    return last === undefined ? [] : (of(last) ?? []);
  });
  if (ends.length === 0) return "nothing was measured";
  return `at the end from ${format(Math.min(...ends))} to ${format(Math.max(...ends))}`;
}

function tables(comparison: Comparison): Html {
  const seeds = seedTable(comparison);
  return html`<section id="runs">
      <h2>Runs</h2>
      ${tableOf(runTable(comparison), "Runs")}
    </section>
    ${
      seeds === undefined
        ? undefined
        : html`<section id="seeds">
            <h2>Over seeds</h2>
            ${tableOf(seeds, "Over seeds")}
            <p class="muted">
              Of runs that differ in the seed only and did all that they were told to; sd: the standard deviation of a
              sample.
            </p>
          </section>`
    }`;
}

function tableOf({ columns, rows }: Table, name: string): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${name}">
    <table class="numbers runs">
      <thead>
        <tr>
          ${columns.map(({ title }) => html`<th scope="col">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...cells]) =>
            html`<tr>
              <th scope="row">${first}</th>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

/** What could not be read, and why runs ended. */
function remarks({ runs, leftOut }: Comparison): Content {
  const sentences = [
    ...leftOut.map(({ runDir, problem }) => `${runDir} ${problem}.`),
    ...runs.flatMap(({ name, ending }) => (ending.type === "failed" ? [`${name} failed: ${ending.message}`] : [])),
    ...runs.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}.`)),
  ];
  if (sentences.length === 0) return undefined;
  return html`<section id="remarks">
    <h2>Remarks</h2>
    <ul>
      ${sentences.map((sentence) => html`<li>${sentence}</li>`)}
    </ul>
  </section>`;
}
