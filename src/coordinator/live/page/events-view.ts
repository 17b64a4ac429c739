import { byId, create } from "./dom.ts";
import { timeText } from "./format.ts";
import type { LiveEvent } from "./protocol.ts";

/** Shows the events, the newest first. Only what has changed is touched, so that a reader's place is kept. */
export function showEvents(events: readonly LiveEvent[]): void {
  const list = byId("events", HTMLOListElement);
  const shown = new Map([...list.children].map((item) => [item.getAttribute("data-key"), item]));
  const items = events.toReversed().map((event) => shown.get(keyOf(event)) ?? itemOf(event));
  const wanted = new Set<Element>(items);
  for (const item of shown.values()) if (!wanted.has(item)) item.remove();
  for (const [index, item] of items.entries()) {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  }
  byId("no-events", HTMLElement).hidden = events.length > 0;
}

/** Another one is another item. */
function keyOf({ id, at, times }: LiveEvent): string {
  return `${id} ${at} ${times}`;
}

function itemOf(event: LiveEvent): HTMLLIElement {
  const { at, tone, text, times } = event;
  const time = create("time", { text: timeText(at), attributes: { datetime: new Date(at).toISOString() } });
  const sentence = create("span", { text, attributes: { class: "text" } });
  if (times > 1) sentence.append(create("span", { text: ` (${times} times)`, attributes: { class: "times" } }));
  return create("li", { attributes: { "data-key": keyOf(event), "data-tone": tone } }, time, sentence);
}
