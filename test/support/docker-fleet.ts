import { randomBytes } from "node:crypto";
import type { StartedTestContainer } from "testcontainers";
import { expect } from "vitest";
import { type Engine, engine, HardenedContainer } from "./docker.ts";

/** A coordinator and workers in containers of their own, on a network and volumes of their own. */

/** A condition that has not come true by then never will. */
const DEADLINE_MS = 90_000;
const SHELL_ENTRYPOINT = ["/usr/bin/tini", "--", "/bin/sh", "-euc"];
const COORDINATOR = "coordinator";

interface Start {
  /** What other containers call it. */
  readonly alias?: string;
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly memoryMiB?: number;
}

/** How a container ended. */
export interface Outcome {
  readonly code: number;
  /** The kernel ended one of its processes, since its memory was used up. */
  readonly outOfMemory: boolean;
  readonly output: string;
}

export class DockerFleet {
  readonly #engine: Engine;
  readonly #name: string;
  readonly #members: Member[] = [];

  /** Makes the network, volumes for keys and runs, and the keys. */
  static async create(): Promise<DockerFleet> {
    const fleet = new DockerFleet(await engine(), `lockstep-test-${randomBytes(4).toString("hex")}`);
    try {
      await fleet.#engine.createNetwork({ Name: fleet.#name, CheckDuplicate: true });
      const keygen = await fleet.start(["keygen"], { environment: {} });
      expect((await keygen.ended()).code, await keygen.output()).toBe(0);
      return fleet;
    } catch (thrown) {
      await fleet.remove();
      throw thrown;
    }
  }

  private constructor(docker: Engine, name: string) {
    this.#engine = docker;
    this.#name = name;
  }

  /** Runs a command of lockstep in a container, with the keys at /keys and the runs at /runs. */
  async start(command: readonly string[], { alias, entrypoint, environment, memoryMiB }: Start = {}): Promise<Member> {
    const container = new HardenedContainer()
      .withNetworkMode(this.#name)
      .withBindMounts([
        { source: `${this.#name}-keys`, target: "/keys" },
        { source: `${this.#name}-runs`, target: "/runs" },
      ])
      .withEnvironment({ LOCKSTEP_REPORT: "false", ...environment })
      .withCommand([...command]);
    if (alias !== undefined) container.withNetworkAliases(alias);
    if (entrypoint !== undefined) container.withEntrypoint([...entrypoint]);
    if (memoryMiB !== undefined) container.withResourcesQuota({ memory: memoryMiB / 1024 });
    const member = new Member(this.#engine, await container.start(), this.#name);
    this.#members.push(member);
    return member;
  }

  /** Runs a shell's command in a container. */
  shell(line: string): Promise<Member> {
    return this.start([line], { entrypoint: SHELL_ENTRYPOINT });
  }

  coordinator(...options: string[]): Promise<Member> {
    return this.start(
      [
        ...["coordinator", "--listen", "tcp://0.0.0.0:5555", "--key", "/keys/coordinator.key"],
        ...["--allow", "/keys/workers.allow", "--run-dir", "/runs/run", "--resume", "--json", ...options],
      ],
      { alias: COORDINATOR },
    );
  }

  worker(options: readonly string[] = [], start: Start = {}): Promise<Member> {
    const keys = ["--key", "/keys/worker.key", "--coordinator-key", "/keys/coordinator.pub"];
    return this.start(["worker", "--connect", `tcp://${COORDINATOR}:5555`, ...keys, ...options], start);
  }

  /** Ends and removes all of it. */
  async remove(): Promise<void> {
    await Promise.all(this.#members.splice(0).map((member) => member.remove()));
    for (const volume of ["keys", "runs"]) await this.#engine.getVolume(`${this.#name}-${volume}`).remove();
    await this.#engine.getNetwork(this.#name).remove();
  }
}

/** A container of a fleet. */
export class Member {
  readonly #engine: Engine;
  readonly #container: StartedTestContainer;
  readonly #network: string;

  constructor(docker: Engine, container: StartedTestContainer, network: string) {
    this.#engine = docker;
    this.#container = container;
    this.#network = network;
  }

  /** Waits until its output matches; fails when it ends, or the deadline passes, before it does. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    const stream = await this.#container.logs();
    const timer = setTimeout(() => stream.destroy(), DEADLINE_MS);
    let text = "";
    try {
      for await (const chunk of stream) {
        text += String(chunk);
        const match = pattern.exec(text);
        if (match !== null) return match;
      }
    } catch (thrown) {
      expect.fail(`never saw ${String(pattern)} (${String(thrown)}) in:\n${text}`);
    } finally {
      clearTimeout(timer);
      stream.destroy();
    }
    return expect.fail(`it ended, and never said ${String(pattern)}:\n${text}`);
  }

  /** All that it said so far, in all its lives. */
  async output(): Promise<string> {
    const stdio = { stdout: true, stderr: true, follow: false } as const;
    const bytes = await this.#handle.logs(stdio);
    // Frames of stdout and stderr: a type, three zeros, a length as 32 bits, big-endian, and the text.
    let text = "";
    for (let at = 0; at < bytes.length;) {
      const end = at + 8 + bytes.readUInt32BE(at + 4);
      text += bytes.toString("utf8", at + 8, end);
      at = end;
    }
    return text;
  }

  /** Waits for its end. */
  async ended(): Promise<Outcome> {
    const { StatusCode: code } = (await this.#handle.wait()) as { StatusCode: number };
    const { State } = await this.#handle.inspect();
    return { code, outOfMemory: State.OOMKilled, output: await this.output() };
  }

  async exec(...command: string[]): Promise<{ code: number; output: string }> {
    const { exitCode, output } = await this.#container.exec(command);
    return { code: exitCode, output };
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#handle.kill({ signal });
  }

  /** Starts it again after its end, as it was. */
  async startAgain(): Promise<void> {
    await this.#handle.start();
  }

  async pause(): Promise<void> {
    await this.#handle.pause();
  }

  async unpause(): Promise<void> {
    await this.#handle.unpause();
  }

  /** Takes it off the network, as a pulled cable would. @returns what puts it back */
  async partition(): Promise<() => Promise<void>> {
    const network = this.#engine.getNetwork(this.#network);
    await network.disconnect({ Container: this.#handle.id });
    return async () => {
      await network.connect({ Container: this.#handle.id });
    };
  }

  async remove(): Promise<void> {
    await this.#handle.remove({ force: true, v: true });
  }

  get #handle(): ReturnType<Engine["getContainer"]> {
    return this.#engine.getContainer(this.#container.getId());
  }
}

/** The object that `--json` prints as the last line on stdout. */
export function resultIn({ output, code }: Outcome): Record<string, unknown> {
  const line = output.split("\n").findLast((each) => each.startsWith("{"));
  if (line === undefined) return expect.fail(`exit code ${code}, and no result in:\n${output}`);
  return JSON.parse(line) as Record<string, unknown>;
}
