import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, expect } from "vitest";
import { resultOf, type RunningCommand } from "../support/cli.ts";
import { temporariesIn } from "./damage-checkpoints.ts";
import { freePort } from "../support/free-port.ts";
import { MarkedProcesses } from "./marked-processes.ts";

/** Some seconds of work: 8 epochs of 63 steps. */
const TRAINING = ["--limit-train", "4000", "--epochs", "8", "--metrics-port", "0", "--json"];
const RESULT = { samples: 32_000, samplesLost: 0, steps: 504, epochs: 8 };

/** Far more than any recovery takes, on however slow a machine; far less than giving up by the longest time-outs. */
const RECOVERY_MS = 20_000;
/** Whoever heard that the run is over has ended by then; whoever did not is asked to. */
const GONE_MS = 10_000;

/** What the coordinator of a test's fleet says after a step. */
export const atStep = (epoch: number, step: number): RegExp =>
  new RegExp(`Epoch \\[${epoch}/8\\], Step \\[${step}/63\\]`);

/** For a test file: fleets whose runs are compared with an undisturbed one, and which must leave nothing behind. */
export function useFleet(): { readonly begin: () => Promise<TestFleet> } {
  let weightsSha256: unknown;
  let fleet: TestFleet | undefined;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), "lockstep-undisturbed-"));
    const ended = await new MarkedProcesses(folder).start(["train", ...TRAINING, "--workers", "2"]).ended();
    rmSync(folder, { recursive: true, force: true });
    weightsSha256 = resultOf(ended).weightsSha256;
    expect(weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  });
  afterEach(async () => {
    await fleet?.end();
    fleet = undefined;
  });
  return {
    begin: async () => {
      fleet = new TestFleet(await freePort(), weightsSha256);
      return fleet;
    },
  };
}

/** A coordinator, on the same port and in the same run folder in each of its lives, and workers. */
export class TestFleet {
  readonly port: number;
  readonly #weightsSha256: unknown;
  readonly #folder = mkdtempSync(join(tmpdir(), "lockstep-chaos-test-"));
  readonly #processes = new MarkedProcesses(this.#folder);
  readonly #workers: RunningCommand[] = [];

  /** @param weightsSha256 that of the undisturbed run */
  constructor(port: number, weightsSha256: unknown) {
    this.port = port;
    this.#weightsSha256 = weightsSha256;
  }

  get address(): string {
    return `tcp://127.0.0.1:${this.port}`;
  }

  get checkpoints(): string {
    return join(this.#folder, "run", "checkpoints");
  }

  coordinator(...options: string[]): RunningCommand {
    const fixed = ["--listen", this.address, ...TRAINING, "--run-dir", "run", "--resume", "--log-every", "1"];
    return this.#processes.start(["coordinator", ...fixed, ...options]);
  }

  worker(address = this.address): RunningCommand {
    const worker = this.#processes.start(["worker", "--connect", address]);
    this.#workers.push(worker);
    return worker;
  }

  /** The result of a run that must end with exit code 0, the undisturbed weights and every sample once, never idle for long. */
  async survivor(coordinator: RunningCommand): Promise<Record<string, unknown>> {
    const ended = await coordinator.ended();
    expect(ended.code, ended.stderr).toBe(0);
    const result = resultOf(ended);
    expect(result).toMatchObject({ ...RESULT, weightsSha256: this.#weightsSha256 });
    expect(this.#longestPauseMs()).toBeLessThan(RECOVERY_MS);
    return result;
  }

  /** Whatever was started must have ended, or end when it is asked to; then nothing must be left of it. */
  async end(): Promise<void> {
    for (const worker of this.#workers) if (!worker.hasEnded) worker.kill("SIGTERM");
    const left = await this.#processes.gone(GONE_MS);
    await this.#processes.kill();
    const temporary = [
      ...readdirSync(this.#folder).filter((name) => name.startsWith("lockstep-")),
      ...temporariesIn(this.checkpoints),
    ];
    rmSync(this.#folder, { recursive: true, force: true });
    expect(left, "processes left behind").toEqual([]);
    expect(temporary, "temporary files left behind").toEqual([]);
    expect(await isListening(this.port), `something listens on port ${this.port}`).toBe(false);
  }

  /** Between two steps, by the coordinator's own clock. */
  #longestPauseMs(): number {
    const file = join(this.#folder, "run", "metrics.ndjson");
    const times = (existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [])
      .map((line) => JSON.parse(line) as { type: string; time: string })
      .filter(({ type }) => type === "step")
      .map(({ time }) => Date.parse(time));
    expect(times.length, "lines of steps").toBeGreaterThan(100);
    return Math.max(...times.slice(1).map((time, i) => time - times[i]!));
  }
}

/** What a coordinator says at /status or /metrics now. */
export async function ask(coordinator: RunningCommand, page: "status" | "metrics"): Promise<string> {
  const [, url] = await coordinator.sees(/Metrics for Prometheus at (\S+)\/metrics/);
  return (await fetch(`${url}/${page}`)).text();
}

/** The steps that a coordinator has done. */
export async function stepOf(coordinator: RunningCommand): Promise<number> {
  return (JSON.parse(await ask(coordinator, "status")) as { step: number }).step;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
