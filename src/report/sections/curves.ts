import { formatCount, formatPercent } from "../../shared/format.ts";
import { type Content, type Html, html } from "../html.ts";
import { lineChart, type Point } from "../line-chart.ts";
import type { EpochRow } from "../metrics-history.ts";
import type { ReportContent } from "../report-content.ts";

/** Epochs that are listed one by one. */
const MAX_ROWS = 100;

/** How loss, accuracy, learning rate and speed went, epoch by epoch. */
export function curvesSection({ history, end, log, validation }: ReportContent): Html {
  const axis = { xName: "epochs", xMax: end.step / end.stepsPerEpoch };
  const trainLoss = history.epochPoints((row) => row.trainLoss);
  const trainAccuracy = history.epochPoints((row) => row.trainAccuracy);
  const last = log.endEvaluation(end.step);
  const atEnd = (y: number | null | undefined): Point[] => (y === undefined || y === null ? [] : [{ x: axis.xMax, y }]);
  const testAccuracy = [...history.epochPoints((row) => row.testAccuracy), ...atEnd(last?.testAccuracy)];
  const validationAccuracy = [
    ...history.epochPoints((row) => row.validationAccuracy),
    ...atEnd(last?.validationAccuracy),
  ];
  const epochSpeed = history.epochPoints((row) => row.samplesPerSecond);
  const [stepLoss, rates, stepSpeed] = [history.lossPoints(), history.learningRatePoints(), history.speedPoints()];
  const later =
    history.later === 0
      ? undefined
      : html`<p class="muted">
          What was logged after the checkpoint, ${formatCount(history.later)} lines, is left out: a run that is resumed
          does those steps again.
        </p>`;
  return html`<section id="curves">
    <h2>Course</h2>
    <div class="charts">
      ${lineChart({
        ...{ title: "Loss (logarithmic)", ...axis, y: "logarithmic", format: (y) => String(Number(y.toPrecision(3))) },
        summary: `${ends(trainLoss, (y) => y.toFixed(4))} a sample and epoch, in nats`,
        lines: [
          { name: "logged steps", points: stepLoss, look: "faint" },
          { name: "mean of an epoch", points: trainLoss, look: "first" },
        ],
      })}${lineChart({
        ...{ title: "Accuracy", ...axis, y: "linear", format: (y) => `${Number((y * 100).toFixed(2))} %` },
        summary: accuracySummary(testAccuracy, validationAccuracy),
        lines: [
          { name: "training", points: trainAccuracy, look: "second" },
          { name: "validation", points: validationAccuracy, look: "third" },
          { name: "test", points: testAccuracy, look: "first" },
        ],
      })}${lineChart({
        ...{ title: "Learning rate", ...axis, y: "linear from 0", format: (y) => String(Number(y.toPrecision(3))) },
        summary: ends(rates, (y) => y.toPrecision(3)),
        lines: [{ name: "logged steps", points: rates, look: "first" }],
      })}${lineChart({
        ...{ title: "Images a second", ...axis, y: "linear from 0", format: (y) => formatCount(y) },
        summary: ends(epochSpeed, formatCount),
        lines: [
          { name: "logged steps", points: stepSpeed, look: "faint" },
          { name: "an epoch", points: epochSpeed, look: "first" },
        ],
      })}
    </div>
    ${table(history.epochs(), validation?.bestEpoch)} ${later}
  </section> `;
}

function ends(points: readonly Point[], format: (y: number) => string): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return "nothing was measured";
  return first === last ? format(first.y) : `from ${format(first.y)} to ${format(last.y)}`;
}

function accuracySummary(test: readonly Point[], validation: readonly Point[]): string {
  const ofTest = `of the test images ${ends(test, formatPercent)}`;
  return validation.length === 0 ? ofTest : `${ofTest}; of the validation images ${ends(validation, formatPercent)}`;
}

/** @param best the epoch to mark */
function table(all: readonly EpochRow[], best: number | undefined): Content {
  if (all.length === 0) return html`<p class="muted">No finished epoch was logged.</p>`;
  const rows = all.slice(-MAX_ROWS);
  const left = all.length - rows.length;
  const isValidated = rows.some((row) => row.validationAccuracy !== null);
  const ofValidation = (cells: Content): Content => (isValidated ? cells : undefined);
  return html`<details>
    <summary>
      Figures of ${rows.length === 1 ? "the epoch" : `${left > 0 ? "the last " : ""}${rows.length} epochs`}
    </summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Figures of the epochs">
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">Epoch</th>
            <th scope="col">Train loss</th>
            <th scope="col">Train accuracy</th>
            ${ofValidation(
              html`<th scope="col">Validation accuracy</th>
                <th scope="col">Validation errors</th>`,
            )}
            <th scope="col">Test accuracy</th>
            <th scope="col">Test errors</th>
            <th scope="col">Images a second</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr class="${row.epoch === best ? "best" : "other"}">
                <th scope="row">${row.epoch}${row.epoch === best ? html` <small>best</small>` : undefined}</th>
                <td>${row.trainLoss?.toFixed(4)}</td>
                <td>${percent(row.trainAccuracy)}</td>
                ${ofValidation(
                  html`<td>${percent(row.validationAccuracy)}</td>
                    <td>${count(row.validationErrors)}</td>`,
                )}
                <td>${percent(row.testAccuracy)}</td>
                <td>${count(row.testErrors)}</td>
                <td>${count(row.samplesPerSecond)}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

const percent = (share: number | null): string => (share === null ? "" : formatPercent(share));
const count = (value: number | null): string => (value === null ? "" : formatCount(value));
