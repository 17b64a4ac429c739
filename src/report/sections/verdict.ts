import { formatCount, formatPercent, formatPlural, formatSeconds } from "../../shared/format.ts";
import { type Content, type Html, html } from "../html.ts";
import { endingOf, knownStarts, type ReportContent } from "../report-content.ts";

/** What the run came to: a sentence, and its figures. */
export function verdictSection(content: ReportContent): Html {
  return html`<header>
    <p class="brand">lockstep training report</p>
    <h1>${content.run.name}</h1>
    <p class="verdict">${sentence(content)}</p>
    ${remark(content)}
    <dl class="figures">
      ${figures(content).map(
        ([name, value, note]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}${note === undefined ? undefined : html`<small>${note}</small>`}</dd>
          </div>`,
      )}
    </dl>
    ${hashes(content.run)}
  </header> `;
}

function sentence(content: ReportContent): Content {
  const { predictions, data, end, epochs, run } = content;
  const ending = endingOf(content);
  const { errors } = predictions.confusion;
  const result = html`<strong>${formatPercent(1 - errors / data.testSamples)}</strong> of the
    ${formatCount(data.testSamples)} test images of ${data.name} are recognised,
    ${formatPlural(errors, "error")}.${whose(content)}`;
  const done = formatPlural(end.step, "step");
  const time = trainingTime(content);
  const took = time === undefined ? "" : ` in ${time}`;
  const total = formatCount(epochs * end.stepsPerEpoch);
  const isLast = run.judged.weightsSha256 === run.weightsSha256;
  const weights = html`The ${isLast ? "" : "last "}weights are <code>${run.weightsSha256.slice(0, 16)}</code>.`;
  switch (ending.type) {
    case "complete":
      return html`${result} Trained ${formatPlural(epochs, "epoch")}, ${done}${took}. ${weights}`;
    case "out of patience": {
      const since = end.evaluatedEpochs - ending.bestEpoch;
      const why = since === 1 ? "the last one was no better" : `none of the last ${formatCount(since)} was better`;
      return html`${result} Ended after ${formatCount(end.evaluatedEpochs)} of ${formatPlural(epochs, "epoch")},
      ${done}${took}: ${why} on the validation images. ${weights}`;
    }
    case "out of time":
      return html`${result} Ended after ${done} of ${total}${took}: its time was up, and it can be resumed. ${weights}`;
    case "interrupted":
      return html`Interrupted by ${ending.signal} after ${done} of ${total}${took}. ${result} ${weights}`;
    case "unfinished":
      return html`Not finished: the newest checkpoint is of step ${formatCount(end.step)} of ${total}. ${result}
      ${weights}`;
    default:
      return ending satisfies never;
  }
}

/** Which weights these are, where that is not plain. */
function whose({ run, validation }: ReportContent): string {
  if (validation === undefined) return "";
  const { choice, checkpoint } = run.judged;
  const images = `the ${formatPlural(validation.samples, "validation image")}`;
  const errors = validation.errors === null ? "" : ` with ${formatPlural(validation.errors, "error")}`;
  switch (choice) {
    case "last":
      return "";
    case "best":
      return ` These are the weights of epoch ${checkpoint.progress.evaluatedEpochs}, the best on ${images}${errors}.`;
    case "end":
      if (validation.bestEpoch === undefined) return "";
      return ` These are the last weights, better on ${images} than any epoch's,${errors}.`;
    case "instead":
      return ` These are the last weights: those of epoch ${validation.bestEpoch}, the best on ${images}, cannot be read.`;
    default:
      return choice satisfies never;
  }
}

function hashes({ judged, weightsSha256, checkpointPath }: ReportContent["run"]): Content {
  const line = (name: string, sha256: string, path: string): Html =>
    html`${name} (SHA-256) <code>${sha256}</code><br />Checkpoint <code>${path}</code>`;
  const isLast = judged.weightsSha256 === weightsSha256;
  const best = line(
    `Weights of epoch ${judged.checkpoint.progress.evaluatedEpochs}`,
    judged.weightsSha256,
    judged.path,
  );
  const last = line(isLast ? "Weights" : "Last weights", weightsSha256, checkpointPath);
  return html`<p class="hash">${isLast ? last : html`${best}<br />${last}`}</p>`;
}

/** How these errors compare with those that the run counted itself. */
function remark({ run, runErrors, predictions }: ReportContent): Content {
  const { errors } = predictions.confusion;
  const engine = run.checkpoint.engine;
  if (runErrors === null) {
    return html`<p class="muted">
      The test images were recognised for this report, with the wasm engine: the run itself has not evaluated these
      weights.
    </p>`;
  }
  if (engine === "wasm") {
    return errors === runErrors
      ? html`<p class="muted">
          The test images were recognised once more for this report, with the same errors as in the run.
        </p>`
      : html`<p class="alarm">
          The run counted ${formatPlural(runErrors, "error")}, this report ${formatCount(errors)}, though both used the
          wasm engine: one of the two machines does not compute as it should.
        </p>`;
  }
  return html`<p class="muted">
    The run counted ${formatPlural(runErrors, "error")} with the ${engine} engine. This report uses the wasm engine,
    whose rounding differs, and with it an image or two may be taken for something else.
  </p>`;
}

function figures(content: ReportContent): [name: string, value: string, note?: string | undefined][] {
  const { predictions, data, history, end, run, validation } = content;
  const { record, judged } = run;
  const { errors } = predictions.confusion;
  const rows: [string, string, (string | undefined)?][] = [
    ["Test accuracy", formatPercent(1 - errors / data.testSamples), epochOf(judged)],
    ...validationFigures(validation),
    ["Test errors", formatCount(errors), `of ${formatCount(data.testSamples)}`],
    ["Test loss", predictions.loss.toFixed(4), "nats"],
  ];
  const last = history.epochs().at(-1);
  if (last !== undefined && last.trainLoss !== null) {
    rows.push(["Train loss", last.trainLoss.toFixed(4), `in epoch ${last.epoch}`]);
  }
  rows.push(["Steps", formatCount(end.step), formatPlural(end.evaluatedEpochs, "epoch")]);
  const time = trainingTime(content);
  if (time !== undefined) rows.push(["Training time", time, "with evaluation"]);
  if (record !== undefined && record.samplesPerSecond > 0) {
    rows.push(["Images/s", formatCount(record.samplesPerSecond), formatPlural(record.workers, "worker")]);
  }
  return rows;
}

function epochOf({ choice, checkpoint }: ReportContent["run"]["judged"]): string | undefined {
  return choice === "best" ? `of epoch ${checkpoint.progress.evaluatedEpochs}` : undefined;
}

function validationFigures(validation: ReportContent["validation"]): [name: string, value: string, note: string][] {
  if (typeof validation?.errors !== "number") return [];
  const { samples, errors } = validation;
  return [["Validation", formatPercent(1 - errors / samples), formatPlural(errors, "error")]];
}

/** Of all starts; those that were killed have left no time. */
function trainingTime({ run }: ReportContent): string | undefined {
  if (run.record === undefined) return undefined;
  const { starts, areAll } = knownStarts(run);
  const seconds = starts.reduce((sum, start) => sum + start.trainSeconds, 0);
  return `${areAll ? "" : "at least "}${formatSeconds(seconds)}`;
}
