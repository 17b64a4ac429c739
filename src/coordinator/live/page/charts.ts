import type { AlignedData } from "uplot";
import { Chart } from "./chart.ts";
import { byId } from "./dom.ts";
import { compactText, countText, lossText, percentText } from "./format.ts";
import type { History } from "./history.ts";
import { quantile, smoothed } from "./smoothing.ts";

/** Early steps are far from all that follows; the share of them that may be below the plot. */
const CUT_OFF = 0.05;
/** Single batches are far below all others; on a logarithmic scale they would take most of the plot. */
const OUTLIERS = 0.005;

declare const uPlot: typeof import("uplot");

/** The three charts of the page with their controls. */
export class Charts {
  readonly #loss: Chart;
  readonly #accuracy: Chart;
  readonly #speed: Chart;
  readonly #logScale = byId("log-scale", HTMLInputElement);
  readonly #smoothing = byId("smoothing", HTMLInputElement);
  #history: History | undefined;

  constructor() {
    const line = { width: 2 };
    const xText = compactText;
    this.#loss = new Chart(byId("loss-plot", HTMLElement), {
      xText,
      axisText: (value) => String(Number(value.toPrecision(3))),
      logRange: lossRange,
      curves: [
        { ...line, label: "Batch", color: "--accent-faint", width: 1, text: lossText },
        { ...line, label: "Smoothed", color: "--accent", text: lossText },
        { ...line, label: "Epoch mean", color: "--second", sparse: true, text: lossText },
      ],
    });
    this.#accuracy = new Chart(byId("accuracy-plot", HTMLElement), {
      xText,
      axisText: (value) => `${Number((value * 100).toPrecision(4))} %`,
      range: accuracyRange,
      curves: [
        { ...line, label: "Training", color: "--third", text: percentText },
        { ...line, label: "Validation", color: "--accent", sparse: true, isOptional: true, text: percentText },
        { ...line, label: "Test", color: "--second", sparse: true, text: percentText },
      ],
    });
    this.#speed = new Chart(byId("speed-plot", HTMLElement), {
      xText,
      axisText: compactText,
      range: (_data, _min, max) => [0, Math.max(1, max * 1.1)],
      curves: [{ ...line, label: "Images a second", color: "--accent", text: (value) => countText(value ?? null) }],
    });
    this.#loss.isLog = this.#logScale.checked;
    this.#logScale.addEventListener("change", () => {
      this.#loss.isLog = this.#logScale.checked;
      this.#draw();
    });
    this.#smoothing.addEventListener("input", () => {
      byId("smoothing-value", HTMLOutputElement).value = this.#smoothing.valueAsNumber.toFixed(2);
      this.#draw();
    });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => {
      for (const chart of [this.#loss, this.#accuracy, this.#speed]) chart.rebuild();
    });
  }

  show(history: History): void {
    this.#history = history;
    this.#draw();
  }

  #draw(): void {
    if (this.#history === undefined) return;
    const { steps, epochs } = this.#history;
    const weight = this.#smoothing.valueAsNumber;
    const [step, epochStep] = [[...steps.step], [...epochs.step]];
    const joined = (columns: (number | null)[][], ...ofEpochs: (readonly (number | null)[])[]): AlignedData =>
      epochStep.length === 0
        ? ([step, ...columns, ...ofEpochs.map(() => step.map(() => null))] as AlignedData)
        : uPlot.join([
            [step, ...columns] as AlignedData,
            [epochStep, ...ofEpochs.map((column) => [...column])] as AlignedData,
          ]);
    this.#loss.show(joined([[...steps.loss], smoothed(steps.loss, weight)], epochs.trainLoss));
    this.#accuracy.show(joined([smoothed(steps.accuracy, weight)], epochs.validationAccuracy, epochs.testAccuracy));
    this.#speed.show([step, smoothedSpeeds(steps.samplesPerSecond, weight)] as AlignedData);
  }
}

/** From the lowest usual batch to the highest one, to round numbers. */
function lossRange([, batches]: AlignedData, min: number, max: number): [number, number] {
  const [low, high] = uPlot.rangeLog(quantile(Array.from(batches ?? []), OUTLIERS) ?? min, max, 10, false);
  return [low ?? min, high ?? max];
}

/** Means of the times, not of the speeds: a short step counts for less. */
function smoothedSpeeds(samplesPerSecond: readonly (number | null)[], weight: number): (number | null)[] {
  const seconds = smoothed(
    samplesPerSecond.map((speed) => (speed === null || speed === 0 ? null : 1 / speed)),
    weight,
  );
  return seconds.map((each) => (each === null ? null : 1 / each));
}

/** Down to where most of the curve is. */
function accuracyRange([, ...columns]: AlignedData): [number, number] {
  const lows = columns.map((column) => quantile(Array.from(column), CUT_OFF) ?? 1);
  const low = Math.min(0.99, ...lows);
  return [Math.max(0, low - (1 - low) * 0.1), 1];
}
