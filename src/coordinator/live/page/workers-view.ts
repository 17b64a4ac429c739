import { byId, create } from "./dom.ts";
import { countText } from "./format.ts";
import type { LiveWorker, WorkerState } from "./protocol.ts";

const STATE_WORDS: Record<WorkerState, string> = {
  joining: "joining",
  ready: "ready",
  standby: "standing by",
  late: "late",
  leaving: "leaving",
  left: "left",
  lost: "lost",
};

const LABELS = ["State", "Host", "Device", "Shards", "ms per shard", "Late or lost"];

/** Fills the table of workers. Rows and cells are kept, so that a selection or a scroll position survives. */
export function showWorkers(workers: readonly LiveWorker[]): void {
  const body = byId("workers", HTMLTableSectionElement);
  while (body.rows.length > workers.length) body.deleteRow(-1);
  while (body.rows.length < workers.length) body.append(emptyRow());
  for (const [index, worker] of workers.entries()) fill(body.rows[index]!, worker);
  byId("no-workers", HTMLElement).hidden = workers.length > 0;
}

function emptyRow(): HTMLTableRowElement {
  const name = create("th", { attributes: { scope: "row", role: "rowheader" } });
  const cells = LABELS.map((label, index) =>
    create("td", { attributes: { role: "cell", "data-label": label, ...(index > 2 ? { class: "number" } : {}) } }),
  );
  cells[0]?.append(create("span", { attributes: { class: "state" } }));
  return create("tr", { attributes: { role: "row" } }, name, ...cells);
}

function fill(row: HTMLTableRowElement, worker: LiveWorker): void {
  const { name, state, host, device, shards, shardMs, shardsLate } = worker;
  row.toggleAttribute("data-gone", state === "left" || state === "lost");
  const texts = [
    name,
    STATE_WORDS[state],
    host,
    device,
    countText(shards),
    shardMs?.toFixed(2) ?? "–",
    countText(shardsLate),
  ];
  for (const [index, text] of texts.entries()) {
    const cell = row.cells[index]!;
    const target = cell.firstElementChild ?? cell;
    if (target instanceof HTMLElement && index === 1) target.dataset.state = state;
    if (target.textContent !== text) target.textContent = text;
  }
}
