import type { End, Snapshot, Update } from "./protocol.ts";

/** Before the page asks again where the browser has given up: the coordinator is gone, or has too many pages. */
const RETRY_MS = 3_000;

export interface ConnectionEvents {
  readonly onSnapshot: (snapshot: Snapshot) => void;
  readonly onUpdate: (update: Update) => void;
  readonly onEnd: (end: End) => void;
  /** The coordinator cannot be heard; the page goes on trying. */
  readonly onLost: () => void;
}

/** Listens to the coordinator until it says that the run has ended, however often it cannot be reached meanwhile. */
export function listen(events: ConnectionEvents): void {
  const source = new EventSource("/live");
  const on = (name: string, handle: (data: unknown) => void): void => {
    source.addEventListener(name, (event: MessageEvent<string>) => handle(JSON.parse(event.data)));
  };
  // The page comes from the coordinator that writes them: both are of one version.
  on("snapshot", (data) => events.onSnapshot(data as Snapshot));
  on("update", (data) => events.onUpdate(data as Update));
  on("end", (data) => {
    source.close();
    events.onEnd(data as End);
  });
  source.addEventListener("error", () => {
    events.onLost();
    // Otherwise the browser tries again by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(events), RETRY_MS);
  });
}
