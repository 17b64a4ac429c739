import { STORED_SIDE } from "../../shared/data/idx.ts";
import { formatCount, formatPercent, formatPlural } from "../../shared/format.ts";
import type { Confusion } from "../confusion.ts";
import { type Html, html } from "../html.ts";
import { pngAddress } from "../png.ts";
import type { Predictions } from "../predictions.ts";
import type { ReportContent } from "../report-content.ts";

/** Shares of a class's images from which a cell has the next darker colour: mistakes are rare, hits are not. */
const MISTAKE_SHADES = [0, 0.002, 0.005, 0.01, 0.03, 0.1, 0.3];
const HIT_SHADES = [0, 0.5, 0.9, 0.97, 0.99];

/** What was taken for what, how well each class is recognised, and the worst mistakes. */
export function recognitionSection({ predictions, classes }: ReportContent): Html {
  return html`<section id="recognition">
      <h2>What was taken for what</h2>
      <div class="pair">
        ${confusionTable(predictions.confusion, classes)} ${classTable(predictions.confusion, classes)}
      </div>
    </section>
    ${mistakes(predictions, classes)}`;
}

function confusionTable(confusion: Confusion, classes: readonly string[]): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Confusion matrix">
    <table class="confusion">
      <caption>
        Confusion matrix: a row for each class, a column for each prediction. The stronger the colour of a mistake, the
        larger its share of the class.
      </caption>
      <thead>
        <tr>
          <td></td>
          ${classes.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${classes.map(
          (name, label) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${classes.map((_, prediction) => cell(confusion, label, prediction))}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

function cell(confusion: Confusion, label: number, prediction: number): Html {
  const count = confusion.count(label, prediction);
  if (count === 0) return html`<td class="none">0</td>`;
  const share = count / confusion.labelled(label);
  const look =
    label === prediction ? `hit h${shadeOf(share, HIT_SHADES)}` : `mistake m${shadeOf(share, MISTAKE_SHADES)}`;
  return html`<td class="${look}" title="${formatPercent(share)} of the class">${count}</td>`;
}

/** How many of the limits a share reaches, from 1. */
function shadeOf(share: number, limits: readonly number[]): number {
  return limits.filter((limit) => share >= limit).length;
}

function classTable(confusion: Confusion, classes: readonly string[]): Html {
  const shown = (share: number | null): string => (share === null ? "–" : formatPercent(share));
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Recall and precision">
    <table class="numbers named">
      <caption>
        Recall: the share of a class's images that were recognised. Precision: the share of the images taken for a class
        that are of it.
      </caption>
      <thead>
        <tr>
          <th scope="col">Class</th>
          <th scope="col">Images</th>
          <th scope="col">Errors</th>
          <th scope="col">Recall</th>
          <th scope="col">Precision</th>
          <th scope="col">Most taken for</th>
        </tr>
      </thead>
      <tbody>
        ${classes.map((name, label) => {
          const images = confusion.labelled(label);
          const other = confusion.mistakenFor(label);
          const most = other === undefined ? "–" : `${classes[other]} (${formatCount(confusion.count(label, other))})`;
          return html`<tr>
            <th scope="row">${name}</th>
            <td>${formatCount(images)}</td>
            <td>${formatCount(images - confusion.count(label, label))}</td>
            <td>${shown(confusion.recall(label))}</td>
            <td>${shown(confusion.precision(label))}</td>
            <td>${most}</td>
          </tr> `;
        })}
      </tbody>
    </table>
  </div>`;
}

function mistakes({ worst, confusion }: Predictions, classes: readonly string[]): Html {
  const { errors } = confusion;
  if (worst.length === 0) {
    return html`<section id="mistakes">
      <h2>Mistakes</h2>
      <p>There are none.</p>
    </section>`;
  }
  return html`<section id="mistakes">
    <h2>
      ${worst.length < errors ? `The ${worst.length} worst of ${formatPlural(errors, "mistake")}` : "All mistakes"}
    </h2>
    <p class="muted">
      By loss, the worst first: what it is, what it was taken for, and how sure the network was of that.
    </p>
    <ol class="mistakes">
      ${worst.map(({ image, label, prediction, probability, loss, pixels }) => {
        const [is, taken] = [classes[label], classes[prediction]];
        return html`<li>
          <img
            src="${pngAddress(pixels, STORED_SIDE)}"
            width="84"
            height="84"
            alt="Test image ${image}: ${is}, taken for ${taken}"
          /><span><b>${is}</b> <span class="taken">→ ${taken}</span></span
          ><small>${(probability * 100).toFixed(1)} % sure<br />loss ${loss.toFixed(2)}<br />image ${image}</small>
        </li> `;
      })}
    </ol>
  </section> `;
}
