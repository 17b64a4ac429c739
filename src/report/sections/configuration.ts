import { formatCount } from "../../shared/format.ts";
import { type Content, type Html, html } from "../html.ts";
import { formatTime } from "../format-time.ts";
import { factsTable } from "./facts-table.ts";
import { decisiveSettings, otherSettings, repeatCommand, type Setting } from "../repeat-command.ts";
import { endingOf, type ReportContent } from "../report-content.ts";

/** What the run was told, what it ran on, and how to have it again. */
export function configurationSection(content: ReportContent): Html {
  const { config, engine } = content.run.checkpoint;
  const { type } = endingOf(content);
  const isWhole = type === "complete" || type === "out of patience";
  const repeatable = engine.includes("+")
    ? html`<p class="muted">Several engines computed (${engine}): another run agrees within rounding only.</p>`
    : undefined;
  return html`<section id="configuration">
    <h2>Configuration</h2>
    <p>
      This command trains the same weights, ${isWhole ? "" : "and then the rest of the run, "}with any number of
      workers${engine === "wasm" ? ", to the last bit" : ", within the engine's rounding"}:
    </p>
    <pre><code>${repeatCommand(config, engine)}</code></pre>
    ${repeatable}
    <div class="pair">
      <table class="facts">
        <caption>
          What decides the weights
        </caption>
        <tbody>
          ${decisiveSettings(config).map((setting) => row(setting))}
        </tbody>
      </table>
      ${environment(content)}
    </div>
    <details>
      <summary>Other options</summary>
      <table class="facts">
        <tbody>
          ${otherSettings(config).map((setting) => row(setting))}
        </tbody>
      </table>
    </details>
  </section> `;
}

function row({ flag, value, isDefault }: Setting): Html {
  const shown: Content =
    value === undefined ? html`<span class="muted">not given</span>` : isDefault ? value : html`<b>${value}</b>`;
  return html`<tr>
    <th scope="row"><code>${flag}</code></th>
    <td>${shown}</td>
  </tr>`;
}

function environment({ run: { checkpoint, record }, data, validation }: ReportContent): Html {
  const rows: (readonly [name: string, value: Content])[] = [
    ["Engine", checkpoint.engine],
    ...(record?.devices ?? []).map((each): [string, Content] => [
      each.workers === 1 ? "1 worker" : `${formatCount(each.workers)} workers`,
      [each.device, each.runtime, each.driver === undefined ? undefined : `driver ${each.driver}`]
        .filter((part) => part !== undefined)
        .join(", "),
    ]),
    [
      "Data",
      `${data.name}: ${formatCount(data.trainSamples)} training and ${formatCount(data.testSamples)} test images`,
    ],
    ...(validation === undefined
      ? []
      : [["Held out for validation", `${formatCount(validation.samples)} of the training images`] as const]),
    ["Data's digest", html`<code>${checkpoint.dataDigest}</code>`],
  ];
  if (record !== undefined) {
    const { lockstep, node, system } = record.software;
    if (lockstep !== null) rows.push(["lockstep", lockstep]);
    rows.push(["Node.js", node], ["Coordinator's system", system]);
    rows.push(
      ["Began", formatTime(record.earlier[0]?.startedAt ?? record.startedAt)],
      ["Ended", formatTime(record.endedAt)],
    );
  }
  return factsTable(rows, "What it ran on");
}
