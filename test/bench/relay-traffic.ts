import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../../src/bench/statistics.ts";
import { markdownTable } from "../../src/bench/table.ts";
import { formatCount } from "../../src/shared/format.ts";
import { ChildProcesses } from "../../src/workshop/child-processes.ts";
import type { RelayTrafficWorkers } from "./relay-traffic-workers.ts";

/**
 * What a step costs the coordinator's link, and how long it takes, with workers that compute nothing: connected to it one
 * by one, through one relay, or through a tree of relays with at most eight below each. Needs `npm run build`.
 *
 *     node --import tsx test/bench/relay-traffic.ts --workers 1,2,4,8,16,32 --rounds 3
 */

const FAN_OUT = 8;
const [BATCH_SIZE, SHARD_SIZE] = [2_048, 32];
/** The workers' and the coordinator's compilers need some; then traffic is the same in every step. */
const WARM_UP_STEPS = 20;
const STEPS = 40;
/** Workers that share a process, so that a small machine can hold many. */
const WORKERS_A_PROCESS = 8;

const SHAPES = ["star", "one relay", "tree"] as const;
type Shape = (typeof SHAPES)[number];

interface Figures {
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly messages: number;
  readonly stepMs: number;
  /** Of the relay that the coordinator sees, in all its threads; NaN where there is none. */
  readonly relayMs: number;
}

const built = <Module>(path: string): Promise<Module> =>
  import(new URL(`../../dist/${path}.js`, import.meta.url).href) as Promise<Module>;
const { Coordinator } = await built<typeof import("../../src/coordinator/coordinator.ts")>("coordinator/coordinator");
const { listenZmq } = await built<typeof import("../../src/shared/transport/zmq-listener.ts")>(
  "shared/transport/zmq-listener",
);
const { systemClock } = await built<typeof import("../../src/shared/clock.ts")>("shared/clock");
const { configFrom } = await built<typeof import("../../src/shared/config-resolve.ts")>("shared/config-resolve");
const { summarise } = await built<typeof import("../../src/shared/data/dataset.ts")>("shared/data/dataset");
const { blankDataset } = await built<typeof import("../../src/bench/blank-dataset.ts")>("bench/blank-dataset");

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const WORKERS = fileURLToPath(new URL("relay-traffic-workers.ts", import.meta.url));
const SAMPLES = BATCH_SIZE * (WARM_UP_STEPS + STEPS);

const { values } = parseArgs({
  options: { workers: { type: "string", default: "1,2,4,8,16,32" }, rounds: { type: "string", default: "3" } },
});
const counts = values.workers.split(",").map(Number);
const rounds = Number(values.rounds);

const rows: string[][] = [];
for (const workers of counts) {
  const taken = new Map<Shape, Figures[]>();
  for (let round = 0; round < rounds; round++) {
    for (const shape of SHAPES) {
      process.stderr.write(`${workers} workers, ${shape}, round ${round + 1}\n`);
      taken.set(shape, [...(taken.get(shape) ?? []), await measure(shape, workers)]);
    }
  }
  for (const [shape, figures] of taken) {
    const of = (key: keyof Figures): number => median(figures.map((each) => each[key]));
    const times = figures.map(({ stepMs }) => stepMs);
    rows.push([
      ...[String(workers), shape, formatCount(of("receivedBytes")), formatCount(of("sentBytes"))],
      ...[of("messages").toFixed(1), of("stepMs").toFixed(1)],
      `${Math.min(...times).toFixed(1)}-${Math.max(...times).toFixed(1)}`,
      Number.isNaN(of("relayMs")) ? "" : of("relayMs").toFixed(1),
    ]);
  }
}
const right = (title: string) => ({ title, align: "right" }) as const;
const columns = [
  ...[right("workers"), { title: "shape", align: "left" } as const, right("bytes in"), right("bytes out")],
  ...[right("messages"), right("ms"), right("min-max"), right("relay CPU ms")],
];
process.stdout.write(`${markdownTable(columns, rows)}\n`);
process.exit();

async function measure(shape: Shape, workers: number): Promise<Figures> {
  const children = new ChildProcesses();
  const transport = await listenZmq("tcp://127.0.0.1:*");
  let [startedAt, endedAt, before, after] = [0, 0, totals(), totals()];
  let [relay, busyBefore, busyAfter] = [0, NaN, NaN];
  const coordinator = new Coordinator({
    // All workers are there from the first step on; below relays the coordinator cannot see them.
    config: configFrom("coordinator", {
      ...{ epochs: 1, batchSize: BATCH_SIZE, shardSize: SHARD_SIZE, minWorkers: shape === "star" ? workers : 1 },
    }),
    ...{ dataset: summarise(blankDataset(SAMPLES)), transport, clock: systemClock, runDir: "" },
    onEvent: (event) => {
      if (event.type !== "step") return;
      if (event.step === WARM_UP_STEPS) {
        [startedAt, before, busyBefore] = [performance.now(), totals(coordinator.traffic), busyMs(relay)];
      }
      // The last step assigns nothing ahead: it is left out.
      if (event.step === WARM_UP_STEPS + STEPS - 1) {
        [endedAt, after, busyAfter] = [performance.now(), totals(coordinator.traffic), busyMs(relay)];
      }
    },
  });
  const steps = STEPS - 1;
  try {
    const [top, relays] = await startRelays(children, transport.address, shape, workers);
    relay = top?.pid ?? 0;
    const places = shape === "star" ? [transport.address] : relays.map(({ address }) => address);
    startWorkers(children, places, workers);
    if (shape !== "star") await untilGreeted(relays, workers);
    await coordinator.run();
  } finally {
    await children.end();
  }
  return {
    receivedBytes: (after.receivedBytes - before.receivedBytes) / steps,
    sentBytes: (after.sentBytes - before.sentBytes) / steps,
    messages: (after.messages - before.messages) / steps,
    stepMs: (endedAt - startedAt) / steps,
    relayMs: (busyAfter - busyBefore) / steps,
  };
}

/** CPU time of a process so far; NaN where that is not known. */
function busyMs(pid: number): number {
  if (pid === 0 || process.platform !== "linux") return NaN;
  // The fields after the name, which may have spaces: user and system time are the 14th and 15th of all, in 10 ms.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Pings and pongs go by the second, not by the step: they are left out. */
function totals(traffic?: InstanceType<typeof Coordinator>["traffic"]) {
  const sums = { receivedBytes: 0, sentBytes: 0, messages: 0 };
  if (traffic === undefined) return sums;
  for (const [direction, counted] of Object.entries(traffic)) {
    for (const [type, { messages, bytes }] of (counted as typeof traffic.sent).byType) {
      if (type === "ping" || type === "pong") continue;
      sums.messages += messages;
      if (direction === "sent") sums.sentBytes += bytes;
      else sums.receivedBytes += bytes;
    }
  }
  return sums;
}

interface RelayProcess {
  readonly pid: number;
  readonly address: string;
  readonly status: string;
}

/** The lowest are those that workers connect to, eight to each and then from the first on again */
async function startRelays(
  children: ChildProcesses,
  root: string,
  shape: Shape,
  workers: number,
): Promise<[top: RelayProcess | undefined, lowest: RelayProcess[]]> {
  if (shape === "star") return [undefined, []];
  const top = await startRelay(children, root);
  if (shape === "one relay" || workers <= FAN_OUT) return [top, [top]];
  const relays = Math.ceil(workers / FAN_OUT);
  return [top, await Promise.all(Array.from({ length: relays }, () => startRelay(children, top.address)))];
}

function startRelay(children: ChildProcesses, above: string): Promise<RelayProcess> {
  const options = ["--connect", above, "--listen", "tcp://127.0.0.1:*", "--metrics-port", "0"];
  const child = children.start(process.execPath, [CLI, "relay", ...options], { stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error("a relay has failed")));
    let text = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const [, address] = /listening on (\S+);/.exec(text) ?? [];
      const [, url] = /(http:\S+)\/metrics/.exec(text) ?? [];
      if (address !== undefined && url !== undefined)
        resolve({ pid: child.pid ?? 0, address, status: `${url}/status` });
    });
  });
}

/** The run has not begun: whoever greets waits at its relay. */
async function untilGreeted(relays: readonly RelayProcess[], workers: number): Promise<void> {
  for (;;) {
    const statuses = await Promise.all(relays.map(async ({ status }) => (await fetch(status)).json()));
    const greeted = (statuses as { workers: unknown[] }[]).reduce((sum, each) => sum + each.workers.length, 0);
    if (greeted >= workers) return;
    await setTimeout(100);
  }
}

function startWorkers(children: ChildProcesses, places: readonly string[], workers: number): void {
  const addresses = Array.from(
    { length: workers },
    (_, worker) => places[Math.floor(worker / FAN_OUT) % places.length]!,
  );
  for (let first = 0; first < workers; first += WORKERS_A_PROCESS) {
    const data: RelayTrafficWorkers = {
      addresses: addresses.slice(first, first + WORKERS_A_PROCESS),
      samples: SAMPLES,
    };
    const args = ["--import", "tsx", WORKERS, JSON.stringify(data)];
    children.start(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  }
}
