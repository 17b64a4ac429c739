/** The live page: draws what the coordinator tells. */

import { Charts } from "./charts.ts";
import { listen } from "./connection.ts";
import { byId, setText } from "./dom.ts";
import { showEvents } from "./events-view.ts";
import { type History, historyOf, updated } from "./history.ts";
import { hideResult, showResult } from "./result-view.ts";
import { showState } from "./state-view.ts";
import { showWorkers } from "./workers-view.ts";

type ConnectionState = "live" | "lost" | "ended";

const CONNECTION_WORDS: Record<ConnectionState, string> = {
  live: "",
  lost: "Connection lost, trying again…",
  ended: "The run has ended. This page keeps what it shows.",
};

const charts = new Charts();
let history: History | undefined;
let toldAt = 0;
let isDue = false;
let connection: ConnectionState = "live";

function draw(): void {
  isDue = false;
  if (history === undefined) return;
  showState(history.state, performance.now() - toldAt);
  showWorkers(history.workers);
  showEvents(history.events);
  charts.show(history);
}

/** Draws with the next frame, once, however much is told until then; never while the page is hidden. */
function take(news: History): void {
  history = news;
  toldAt = performance.now();
  if (!isDue) requestAnimationFrame(draw);
  isDue = true;
}

function connectionIs(state: ConnectionState): void {
  connection = state;
  setText("connection", CONNECTION_WORDS[state]);
  byId("connection", HTMLElement).dataset.state = state;
}

// Times go on between two messages, but not once nothing is heard any more.
setInterval(() => {
  if (history !== undefined && connection === "live") showState(history.state, performance.now() - toldAt);
}, 1_000);

listen({
  onSnapshot: (snapshot) => {
    connectionIs("live");
    hideResult();
    take(historyOf(snapshot));
  },
  onUpdate: (update) => {
    if (history !== undefined) take(updated(history, update));
  },
  onEnd: (end) => {
    connectionIs("ended");
    if (history !== undefined) take({ ...history, state: end.state });
    showState(end.state, 0);
    showResult(end);
  },
  onLost: () => connectionIs("lost"),
});
