import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { initialState, transition } from "../../src/coordinator/machine/machine.ts";
import { eventLine, headLine, readEvent, readHead } from "../../src/coordinator/recording-format.ts";
import { Replay } from "../../src/coordinator/replay.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/shared/checkpoint.ts";
import { loadConfig } from "../../src/shared/config-sources.ts";
import { encodeImages, encodeLabels, parseImages, parseLabels } from "../../src/shared/data/idx.ts";
import { LockstepError } from "../../src/shared/errors.ts";
import { parseRunRecord } from "../../src/shared/run-record.ts";
import { checkpointOf } from "../support/checkpoints.ts";
import { CoordinatorScript, helloOf, PLAN } from "../support/coordinator-script.ts";
import { changed, someChanges } from "./byte-changes.ts";
import type { FuzzProperty } from "./fuzz-property.ts";

/** What must hold for whatever a file has become: its reader takes it, or says in a sentence why not. */

/** @throws what was thrown, if it is no sentence for people */
function refuses(read: () => void): void {
  try {
    read();
  } catch (thrown) {
    if (!(thrown instanceof LockstepError) || thrown.code === "protocol") throw thrown;
  }
}

/** @param within bytes at the beginning of the file that are changed */
function reading(
  name: string,
  share: number,
  file: Uint8Array,
  read: (bytes: Buffer) => void,
  within?: number,
): FuzzProperty {
  const cases = fc.oneof(
    { weight: 9, arbitrary: someChanges.map((changes) => changed(file, changes, within)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );
  const property = fc.property(cases, (bytes) => refuses(() => read(bytes)));
  return { name: `${name}: read or refused`, share, check: (numRuns, seed) => fc.assert(property, { numRuns, seed }) };
}

const CONFIG = { epochs: 3, lr: 0.01, schedule: "cosine", augment: true, data: "d", gpus: "0,1", runDir: "runs/x" };

function readConfig(bytes: Buffer): void {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-fuzz-"));
  try {
    const path = join(folder, "config.json");
    writeFileSync(path, bytes);
    loadConfig("train", { config: path }, {});
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The recording of a worker that joins and computes a bit. */
function recording(): string {
  const lines = [headLine({ plan: PLAN, incarnation: "c" }, "1")];
  let state = initialState(PLAN, "c");
  const script = new CoordinatorScript();
  const hello = { type: "message", peer: "A", message: helloOf("a"), finite: true } as const;
  const ready = { type: "message", peer: "A", message: { type: "ready", session: "c/1" }, finite: true } as const;
  for (const event of [{ type: "start" }, hello, ready, { type: "tick", stoppedMs: 0 }] as const) {
    const timed = { ...event, at: script.now };
    const [next, effects] = transition(state, timed);
    state = next;
    lines.push(eventLine(timed, effects));
  }
  return `${lines.join("\n")}\n`;
}

function replay(bytes: Buffer): void {
  const [head = "", ...events] = bytes.toString().split("\n");
  const found = new Replay(readHead(head, "1", "the recording"));
  for (const line of events) {
    const event = readEvent(line);
    if (event !== undefined) found.take(event);
  }
}

export const FILE_PROPERTIES: readonly FuzzProperty[] = [
  reading("a checkpoint", 0.003, encodeCheckpoint(checkpointOf(10)), (bytes) => decodeCheckpoint(bytes, "it"), 6_000),
  reading("images", 0.01, encodeImages(new Uint8Array(784 * 2)), (bytes) => parseImages(bytes, "it"), 40),
  reading("labels", 0.01, encodeLabels(new Uint8Array(20)), (bytes) => parseLabels(bytes, "it")),
  reading("a config file", 0.01, Buffer.from(JSON.stringify(CONFIG)), readConfig),
  reading("a recording", 0.01, Buffer.from(recording()), replay),
  reading("a result", 0.01, Buffer.from('{"testAccuracy":0.9,"epochs":1}'), (bytes) =>
    parseRunRecord(bytes.toString()),
  ),
];
