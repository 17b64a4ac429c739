import { formatCount, formatPlural } from "../../shared/format.ts";
import type { Faults, RunStart } from "../../shared/run-record.ts";
import { type Content, type Html, html } from "../html.ts";
import { knownStarts, type ReportContent } from "../report-content.ts";
import { formatTime } from "../format-time.ts";
import { factsTable } from "./facts-table.ts";

/** What befell the run, and that it cost nothing. */
export function faultsSection(content: ReportContent): Html {
  const { log, run } = content;
  const { starts } = knownStarts(run);
  const rows = faultRows(
    content,
    starts.map(({ faults }) => faults),
  );
  const ended =
    run.record === undefined
      ? html`<p class="muted">
          The start that wrote the newest checkpoint has not ended in good order: what is told here of it comes from
          log.ndjson, where that is there.
        </p>`
      : undefined;
  return html`<section id="faults">
    <h2>Faults survived</h2>
    ${ended} ${factsTable(rows)} ${starts.length < 2 ? undefined : startTable(starts)}
    ${log.entries().length === 0 ? undefined : timeline(content)}
  </section> `;
}

function faultRows({ run, log }: ReportContent, faults: readonly Faults[]): [name: string, value: Content][] {
  const sum = (value: (each: Faults) => number): number => faults.reduce((total, each) => total + value(each), 0);
  const late = sum(({ workersLate }) => workersLate);
  const shardsLate = formatPlural(
    sum((each) => each.shardsLate),
    "shard",
  );
  // A start that was killed has left its log alone.
  const lost = Math.max(
    sum(({ workersLost }) => workersLost),
    log.count("worker-lost"),
  );
  const rows: [string, Content][] = [
    ["Workers lost", formatCount(lost)],
    ["Shards that others then computed", formatCount(sum(({ shardsReassigned }) => shardsReassigned))],
    [
      "Times that a worker was late",
      late === 0 ? "0" : `${formatCount(late)}, with ${shardsLate} computed by others too`,
    ],
    ["Results rejected", rejectedText(faults)],
    ["Checkpoints that could not be written", formatCount(sum(({ checkpointsFailed }) => checkpointsFailed))],
    ["Starts of the run", startsText(run, log.count("run-resumed"))],
  ];
  if (run.record !== undefined) {
    rows.push(["Samples lost", formatCount(run.record.samplesLost)]);
    rows.push(["Samples counted twice", formatCount(run.record.samplesRepeated)]);
  }
  return rows;
}

function startsText(run: ReportContent["run"], logged: number): string {
  const { starts, areAll } = knownStarts(run);
  if (areAll && logged < starts.length) return formatCount(starts.length);
  const count = Math.max(starts.length + (areAll ? 0 : 1), logged + 1);
  return `${formatCount(count)}${logged === 0 ? " or more" : ""}`;
}

function rejectedText(faults: readonly Faults[]): string {
  const counts = new Map<string, number>();
  for (const { resultsRejected } of faults) {
    for (const [reason, count] of Object.entries(resultsRejected))
      counts.set(reason, (counts.get(reason) ?? 0) + count);
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const reasons = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return all === 0 ? "0" : `${formatCount(all)} (${reasons.join(", ")})`;
}

function endedBy({ interruptedBy, endedBy: early }: RunStart): string {
  return interruptedBy ?? (early === "time" ? "its time was up" : early === "patience" ? "early stopping" : "done");
}

function startTable(starts: readonly RunStart[]): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Starts">
    <table class="numbers">
      <caption>
        Starts that ended in good order
      </caption>
      <thead>
        <tr>
          <th scope="col">Began</th>
          <th scope="col">Ended</th>
          <th scope="col">From step</th>
          <th scope="col">To step</th>
          <th scope="col">By</th>
          <th scope="col">Workers lost</th>
        </tr>
      </thead>
      <tbody>
        ${starts.map(
          (start) =>
            html`<tr>
              <td>${formatTime(start.startedAt)}</td>
              <td>${formatTime(start.endedAt)}</td>
              <td>${formatCount(start.resumedFrom ?? 0)}</td>
              <td>${formatCount(start.steps)}</td>
              <td>${endedBy(start)}</td>
              <td>${formatCount(start.faults.workersLost)}</td>
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

function timeline({ log }: ReportContent): Html {
  const more = log.earlier === 0 ? "" : `, the newest of ${formatCount(log.earlier + log.entries().length)}`;
  return html`<details>
    <summary>What happened, by log.ndjson${more}</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="What happened">
      <table class="log">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Step</th>
            <th scope="col">Event</th>
            <th scope="col">Message</th>
          </tr>
        </thead>
        <tbody>
          ${log.entries().map(
            ({ time, step, event, msg }) =>
              html`<tr>
                <td>${formatTime(time)}</td>
                <td>${step === null ? "" : formatCount(step)}</td>
                <td>${event}</td>
                <td>${msg}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}
