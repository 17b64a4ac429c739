import { formatCount, formatPlural } from "../../shared/format.ts";
import type { Efficiency } from "../../shared/events.ts";
import { type Content, type Html, html } from "../html.ts";
import type { MeanPhases } from "../metrics-history.ts";
import type { ReportContent } from "../report-content.ts";

const SHARES: readonly (readonly [key: keyof Efficiency["shares"], name: string])[] = [
  ["computing", "computing"],
  ["inputs", "making inputs"],
  ["exchange", "messages on their way"],
  ["coordinator", "waiting for the coordinator"],
  ["imbalance", "waiting for the slowest worker"],
  ["idle", "without a shard"],
];

const WORKER_PHASES: readonly (readonly [key: keyof MeanPhases["worker"], name: string])[] = [
  ["waitMs", "waiting for work"],
  ["gatherMs", "making inputs"],
  ["computeMs", "computing"],
  ["wireMs", "messages on their way (overlaps with waiting)"],
];

const COORDINATOR_PHASES: readonly (readonly [key: keyof MeanPhases["coordinator"], name: string])[] = [
  ["decideMs", "reading and deciding"],
  ["reduceMs", "adding up gradients"],
  ["adamMs", "Adam and the average"],
  ["sendMs", "sending"],
  ["tailMs", "while all workers wait (a part of the above)"],
];

const [BAR_WIDTH, BAR_HEIGHT] = [1000, 26];

/** Where the time went: of the workers, by what limited them, and of a step, by its phases. */
export function timeSection({ run, history }: ReportContent): Html {
  const efficiency = run.record?.efficiency ?? undefined;
  const phases = history.phases();
  return html`<section id="time">
    <h2>Where the time went</h2>
    ${efficiency === undefined ? html`<p class="muted">The run was too short to tell what limited it, or did not end in good order.</p>` : workersTime(efficiency)}
    ${phases === undefined ? undefined : stepTime(phases)}
  </section> `;
}

function workersTime(efficiency: Efficiency): Html {
  const { shares, summary, steps } = efficiency;
  let left = 0;
  const bars = SHARES.map(([key, name], index) => {
    const [x, width] = [left, Math.max(0, shares[key]) * BAR_WIDTH];
    left += width;
    return html`<rect class="share s${index + 1}" x="${x.toFixed(1)}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}"
      ><title>${name}: ${percent(shares[key])}</title></rect
    >`;
  });
  return html`<p>${summary}.</p>
    <svg class="shares" viewBox="0 0 ${BAR_WIDTH} ${BAR_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
      ${bars}
    </svg>
    <ul class="shares-key" aria-label="What the workers' time went to, over ${formatPlural(steps, "step")}">
      ${SHARES.map(
        ([key, name], index) =>
          html`<li>
            <svg viewBox="0 0 10 10" aria-hidden="true"><rect class="share s${index + 1}" width="10" height="10" /></svg
            >${name} <b>${percent(shares[key])}</b>
          </li>`,
      )}
    </ul>`;
}

function stepTime({ steps, stepMs, worker, coordinator }: MeanPhases): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Phases of a step">
    <table class="phases">
      <caption>
        A step took ${milliseconds(stepMs)} on average, over the ${formatPlural(steps, "logged step")}.
      </caption>
      <thead>
        <tr>
          <th scope="col">A worker</th>
          <th scope="col">ms</th>
          <th scope="col">The coordinator</th>
          <th scope="col">ms</th>
        </tr>
      </thead>
      <tbody>
        ${COORDINATOR_PHASES.map(([key, name], index) => {
          const phase = WORKER_PHASES[index];
          const workers: Content =
            phase === undefined
              ? html`<td></td>
                  <td></td>`
              : html`<td>${phase[1]}</td>
                  <td>${digits(worker[phase[0]])}</td>`;
          return html`<tr>
            ${workers}
            <td>${name}</td>
            <td>${digits(coordinator[key])}</td>
          </tr> `;
        })}
      </tbody>
    </table>
  </div>`;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const digits = (ms: number): string => (ms < 100 ? ms.toFixed(3) : formatCount(ms));
const milliseconds = (ms: number): string => `${ms < 100 ? ms.toFixed(2) : formatCount(ms)} ms`;
